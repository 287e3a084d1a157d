package dropcap

import "dropcap/caps"

// SchemaEvidence is the schema of Evidence.
const SchemaEvidence = "dropcap.evidence/v1"

// Evidence is what workloads were observed to need.
type Evidence struct {
	Schema    string             `json:"schema"`
	Workloads []WorkloadEvidence `json:"workloads"`
	// requested workloads without evidence, where that is no error
	Missing []string `json:"absent,omitempty"`
	// NotStarted names the containers that a recording restarted, or should have, and whose start
	// it did not observe.
	NotStarted []string `json:"not_started,omitempty"`
}

// WorkloadEvidence is the evidence of one workload at one revision.
type WorkloadEvidence struct {
	Workload string   `json:"workload"`
	Revision string   `json:"revision"` // "sha256:…", see Container.Revision
	ImageID  string   `json:"image_id"`
	Sources  []Source `json:"sources"`
	Held     caps.Set `json:"held"`
	// always a subset of Held: dropcap recommends drops, never a grant
	Required caps.Set `json:"required"`
	Unused   caps.Set `json:"unused"`
	// TryWithout is the part of Required whose denial programs often ignore, see Need.TryWithout.
	TryWithout  caps.Set       `json:"try_without,omitempty"`
	Needs       []Need         `json:"needs"`
	Tried       []Tried        `json:"tried,omitempty"`
	Recommended Recommendation `json:"recommended"`
	Confidence  Confidence     `json:"confidence"`
}

// Containers returns the number of containers that the evidence comes from: a container recorded
// several times has several sources. Each summed recording counts as one container.
func (w WorkloadEvidence) Containers() int {
	seen := map[[2]string]bool{}
	summed := 0
	for _, s := range w.Sources {
		seen[[2]string{s.Host.ID, s.Container}] = true
		summed += s.Recordings() - 1
	}
	return len(seen) + summed
}

// Recordings returns the number of recordings that the evidence comes from. Need.Sources says how
// many of them showed a need. A trial is none.
func (w WorkloadEvidence) Recordings() (n int) {
	for _, s := range w.Sources {
		if s.Trial == "" {
			n += s.Recordings()
		}
	}
	return n
}

// Source is one recording of one container, and how much of its life was observed.
type Source struct {
	Host struct {
		ID string `json:"id"`
	} `json:"host"`
	Container  string `json:"container"` // 64 hex digits
	Since      string `json:"since"`     // RFC 3339, UTC
	Until      string `json:"until"`
	Seconds    int64  `json:"seconds"` // of running under observation
	StartsCold int    `json:"starts_cold"`
	StartsWarm int    `json:"starts_warm"`
	Stops      int    `json:"stops"`
	Lost       uint64 `json:"lost"` // checks that were observed but not recorded
	// LossUnknown is set if the hook cannot count what it missed.
	LossUnknown bool `json:"loss_unknown,omitempty"`
	// CallsUnseen says in one clause why the programs' calls on their own sets (prctl, which causes
	// no check) were not observed; empty if they were.
	CallsUnseen string `json:"calls_unseen,omitempty"`
	// Complete is set if the operator declared that everything the workload does was exercised.
	Complete bool `json:"complete,omitempty"`
	// Execs is set if the operator declared that what `docker exec` runs is part of the workload.
	Execs bool `json:"execs,omitempty"`
	// FilesUnseen says in one clause why its files were not all scanned for file capabilities;
	// empty if they were.
	FilesUnseen string `json:"files_unseen,omitempty"`
	// Summed is the number of old recordings that this one summarises; 0 for a single one.
	// Container and Since are then the first recording's, Seconds the longest one's, and the rest
	// are sums.
	Summed int `json:"summed,omitempty"`
	// Trial is the id of the trial that this source is, and not a recording: it shows only what was
	// denied. Empty for a recording.
	Trial string `json:"trial,omitempty"`
}

// Recordings returns the number of recordings that s represents.
func (s Source) Recordings() int { return max(1, s.Summed) }

// Class is the meaning of a kind of check for the program that caused it.
type Class string

// The classes, starting with those that make a capability required.
const (
	Decisive    Class = "decisive"    // without it this call fails
	Alternative Class = "alternative" // one of several capabilities would do
	Silent      Class = "silent"      // the call succeeds without it, but does something else
	// through file capabilities or seccomp coupling, never checked
	Static      Class = "static"
	Inspected   Class = "inspected"   // the program names it in its own sets
	UnknownNeed Class = "unknown"     // a site that no rule knows: kept
	Advisory    Class = "advisory"    // the kernel asked, nothing depends on it
	Ungrantable Class = "ungrantable" // no capability of the container could grant it
)

// Keeps reports whether a granted check of this class makes its capability required.
func (c Class) Keeps() bool { return c != Advisory && c != Ungrantable }

// The outcomes of checks.
const (
	Granted = "granted"
	Denied  = "denied"
)

// The phases of a container's life in which a check was made.
const (
	PhaseStart  = "start"
	PhaseRun    = "run"
	PhaseReload = "reload"
	PhaseStop   = "stop"
	PhaseHealth = "health"
	PhaseExec   = "exec"
)

// Need is what was observed of one capability, with one outcome and class.
type Need struct {
	Cap     caps.Cap `json:"cap"`
	Outcome string   `json:"outcome"` // granted or denied
	Class   Class    `json:"class"`
	Count   uint64   `json:"count"`
	First   string   `json:"first"` // RFC 3339, UTC
	Last    string   `json:"last"`
	Sources int      `json:"sources"` // the number of containers
	By      []By     `json:"by"`
	Because string   `json:"because"` // what breaks without it, in one sentence
	// Or holds other capabilities, any of which would also do; for Alternative.
	Or caps.Set `json:"or,omitempty"`
	// Flagged is set if only programs that are not proven to be the image's caused the checks (see
	// Suspect). The need then keeps nothing beyond the engine's defaults, unless an operator of
	// this host approved it.
	Flagged bool `json:"flagged,omitempty"`
	// Exec is set if `docker exec` caused the checks, and not the workload itself. The need then
	// keeps nothing, unless approved.
	Exec     bool `json:"exec,omitempty"`
	Approved bool `json:"approved,omitempty"`
	// Trial is set if a trial denied these checks, which the kernel would have granted. Such a need
	// counts as one that was granted, unless it is Harmless.
	Trial bool `json:"trial,omitempty"`
	// Harmless is set if a trial went on in spite of these denials: nothing depends on the checks,
	// or another capability served.
	Harmless bool `json:"harmless,omitempty"`
	// TryWithout is set if only the program knows whether it needs the capability: programs often
	// continue after a denial. The capability is kept; a trial decides. TryBecause says why, in one
	// clause.
	TryWithout bool   `json:"try_without,omitempty"`
	TryBecause string `json:"try_because,omitempty"`
}

// Doubted reports whether the need keeps less than its class says until an operator approves it.
func (n Need) Doubted() bool { return (n.Flagged || n.Exec) && !n.Approved }

// Used reports whether the kernel granted the checks, or would have, and the program missed it
// under a trial.
func (n Need) Used() bool { return n.Outcome == Granted || n.Trial && !n.Harmless }

// By is one program, system call and kernel function that caused checks.
type By struct {
	Exe     string `json:"exe"`      // path in the container; empty if it could not be resolved
	ExeFrom string `json:"exe_from"` // image, volume, written, memory, unknown
	Syscall string `json:"syscall"`
	Site    string `json:"site"` // the kernel function that made the check
	Phase   string `json:"phase"`
	Count   uint64 `json:"count"`
}

// Recommendation is the smallest declaration that keeps the workload working.
type Recommendation struct {
	CapDrop []string `json:"cap_drop"`
	CapAdd  []string `json:"cap_add"`
}

// Confidence says how much the evidence covers, by fixed thresholds.
type Confidence struct {
	Level   string   `json:"level"` // low, medium, high, tried
	Because []string `json:"because"`
}

// The levels of confidence. Low: no start observed. Medium: a cold start and 10 minutes. High: a
// cold and a warm start, a stop, an hour or an explicit end of tests, and nothing unknown. Tried:
// whatever would be dropped was denied for long enough, and nothing decisive was missed.
const (
	ConfidenceLow    = "low"
	ConfidenceMedium = "medium"
	ConfidenceHigh   = "high"
	ConfidenceTried  = "tried"
)
