package dropcap

import "dropcap/caps"

// Snapshot is what was seen on a host: an Audit without policy, verdicts and findings.
type Snapshot struct {
	Schema     string      `json:"schema"`
	Created    string      `json:"created"` // RFC 3339, UTC
	Host       Host        `json:"host"`
	Containers []Container `json:"containers"` // in the engine's order: newest first
	// names that were asked for and no container has, where that is no error
	Absent []string `json:"absent,omitempty"`
}

// Audit is a judged Snapshot.
type Audit struct {
	Schema string `json:"schema"`
	// RFC 3339, UTC: when it was seen, not when it was judged
	Created    string    `json:"created"`
	Host       Host      `json:"host"`
	Control    Control   `json:"control"`
	Policy     PolicyRef `json:"policy"`
	Containers []Judged  `json:"containers"`
	Findings   []Finding `json:"findings"` // those of no container: a policy's unmatched waivers
	Summary    Summary   `json:"summary"`
	// digest of the audit that known findings were taken from
	Baseline *PolicyRef `json:"baseline,omitempty"`
	Absent   []string   `json:"absent,omitempty"` // as in Snapshot
}

// Judged is a container with its verdict. In JSON its fields stand beside the container's own.
type Judged struct {
	Container
	Verdict  Verdict   `json:"verdict"`
	Findings []Finding `json:"findings"`
	// one command or edit for all findings that it mends, where there are several such
	Fix string `json:"fix,omitempty"`
}

// Verdict is the outcome for one container. The zero value is no verdict.
type Verdict string

// The verdicts. Unknown is never a pass: something that decides could not be seen.
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"
	Waived  Verdict = "waived"
	Unknown Verdict = "unknown"
)

// Control names the benchmark's rule that is judged.
type Control struct {
	Benchmark string      `json:"benchmark"`
	IDs       []ControlID `json:"ids"`
	Level     int         `json:"level"`
}

// ControlID is the rule's number in one version of the benchmark.
type ControlID struct {
	Version string `json:"version"`
	ID      string `json:"id"`
}

// CIS is the control that dropcap implements: "Ensure that Linux kernel capabilities are restricted
// within containers".
func CIS() Control {
	return Control{Benchmark: "CIS Docker Benchmark", IDs: []ControlID{{"1.2.0", "5.3"},
		{"1.6.0", "5.4"}}, Level: 1}
}

// PolicyRef says which policy judged.
type PolicyRef struct {
	Level Level `json:"level"`
	// "sha256:…" over the policy file's bytes; empty for the built-in one
	Digest string `json:"digest"`
}

// Summary counts containers by verdict.
type Summary struct {
	Containers int `json:"containers"`
	Pass       int `json:"pass"`
	Fail       int `json:"fail"`
	Waived     int `json:"waived"`
	Unknown    int `json:"unknown"`
}

// Count makes the summary of judged containers.
func Count(list []Judged) Summary {
	s := Summary{Containers: len(list)}
	for _, c := range list {
		switch c.Verdict {
		case Pass:
			s.Pass++
		case Fail:
			s.Fail++
		case Waived:
			s.Waived++
		case Unknown:
			s.Unknown++
		}
	}
	return s
}

// Holds is what the container may really do now: what its processes hold where that was seen, else
// what is predicted for its next start; nil if neither is known.
func (c Container) Holds() *caps.Set {
	if c.Kernel.Visible {
		return c.Kernel.Holds()
	}
	return c.Predicted
}

// GaveUp is what the configuration grants and no process of the running container holds any more. A
// restart, an exec or a health check gets it back, so it counts like what is held.
func (c Container) GaveUp() caps.Set {
	held := c.Kernel.Holds()
	if !c.Kernel.Visible || held == nil || c.Predicted == nil {
		return 0
	}
	return c.Predicted.Minus(*held)
}
