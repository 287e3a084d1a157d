package dropcap

import "dropcap/caps"

// Snapshot is what dropcap observed on a host: an Audit without policy, verdicts and findings.
type Snapshot struct {
	Schema     string      `json:"schema"`
	Created    string      `json:"created"` // RFC 3339, UTC
	Host       Host        `json:"host"`
	Containers []Container `json:"containers"` // in the engine's order: newest first
	// requested names that no container has, where that is no error
	Missing []string `json:"absent,omitempty"`
}

// Audit is a judged Snapshot.
type Audit struct {
	Schema string `json:"schema"`
	// RFC 3339, UTC: when the host was observed, not when it was judged
	Created    string    `json:"created"`
	Host       Host      `json:"host"`
	Control    Control   `json:"control"`
	Policy     PolicyRef `json:"policy"`
	Containers []Judged  `json:"containers"`
	// findings without a container: a policy's unmatched waivers
	Findings []Finding `json:"findings"`
	Summary  Summary   `json:"summary"`
	// digest of the audit that the known findings come from
	Baseline *PolicyRef `json:"baseline,omitempty"`
	Missing  []string   `json:"absent,omitempty"` // as in Snapshot
}

// Judged is a container with its verdict. In JSON its fields are at the same level as the
// container's.
type Judged struct {
	Container
	Verdict  Verdict   `json:"verdict"`
	Findings []Finding `json:"findings"`
	// one command or edit that fixes several findings at once
	Fix string `json:"fix,omitempty"`
}

// Verdict is the outcome for one container. The zero value is no verdict.
type Verdict string

// The verdicts. Unknown is never a pass: something that decides the verdict could not be observed.
// Nor is Mitigated: the container fails, but the kernel denies it by a hold all that it fails for.
const (
	Pass      Verdict = "pass"
	Fail      Verdict = "fail"
	Mitigated Verdict = "mitigated"
	Waived    Verdict = "waived"
	Unknown   Verdict = "unknown"
)

// Control names the benchmark's rule that an audit checks.
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

// PolicyRef identifies the policy of an audit.
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
	Mitigated  int `json:"mitigated,omitempty"`
	Waived     int `json:"waived"`
	Unknown    int `json:"unknown"`
}

// Count returns the summary of judged containers.
func Count(list []Judged) Summary {
	s := Summary{Containers: len(list)}
	for _, c := range list {
		switch c.Verdict {
		case Pass:
			s.Pass++
		case Fail:
			s.Fail++
		case Mitigated:
			s.Mitigated++
		case Waived:
			s.Waived++
		case Unknown:
			s.Unknown++
		}
	}
	return s
}

// Holds returns what the container can do now: what its processes hold if that was observed, else
// what is predicted for its next start; nil if neither is known.
func (c Container) Holds() *caps.Set {
	if c.Kernel.Visible {
		return c.Kernel.Holds()
	}
	return c.Predicted
}

// GaveUp returns what the configuration grants and no process of the running container holds any
// more. A restart, an exec or a health check regains it, so it counts as held.
func (c Container) GaveUp() caps.Set {
	held := c.Kernel.Holds()
	if !c.Kernel.Visible || held == nil || c.Predicted == nil {
		return 0
	}
	return c.Predicted.Minus(*held)
}
