package dropcap

import "dropcap/caps"

// SchemaEvidence is the schema of Evidence.
const SchemaEvidence = "dropcap.evidence/v1"

// Evidence is what workloads were seen to need.
type Evidence struct {
	Schema    string             `json:"schema"`
	Workloads []WorkloadEvidence `json:"workloads"`
	// workloads that were asked for and of which there is no evidence, where that is no error
	Absent []string `json:"absent,omitempty"`
	// NotStarted names the containers that a recording restarted, or was to, and did not see
	// starting.
	NotStarted []string `json:"not_started,omitempty"`
}

// WorkloadEvidence is the evidence of one workload at one revision.
type WorkloadEvidence struct {
	Workload string   `json:"workload"`
	Revision string   `json:"revision"` // "sha256:…" over what makes it one, see Revision
	ImageID  string   `json:"image_id"`
	Sources  []Source `json:"sources"`
	Held     caps.Set `json:"held"`
	// always within Held: dropcap recommends drops, never a grant
	Required caps.Set `json:"required"`
	Unused   caps.Set `json:"unused"`
	// TryWithout is what of Required only needs show of which programs often take no notice, see
	// Need.TryWithout.
	TryWithout  caps.Set       `json:"try_without,omitempty"`
	Needs       []Need         `json:"needs"`
	Recommended Recommendation `json:"recommended"`
	Confidence  Confidence     `json:"confidence"`
}

// Containers is how many containers the evidence is from: one that was recorded several times has
// several sources. Sources that are summed up count as one container each.
func (w WorkloadEvidence) Containers() int {
	seen := map[[2]string]bool{}
	summed := 0
	for _, s := range w.Sources {
		seen[[2]string{s.Host.ID, s.Container}] = true
		summed += s.Recordings() - 1
	}
	return len(seen) + summed
}

// Recordings is how many recordings the evidence is from, of which Need.Sources tells how many
// showed a need.
func (w WorkloadEvidence) Recordings() (n int) {
	for _, s := range w.Sources {
		n += s.Recordings()
	}
	return n
}

// Source is one recording of one container, with what of its life was seen.
type Source struct {
	Host struct {
		ID string `json:"id"`
	} `json:"host"`
	Container  string `json:"container"` // 64 hex digits
	Since      string `json:"since"`     // RFC 3339, UTC
	Until      string `json:"until"`
	Seconds    int64  `json:"seconds"` // for which it was running and watched
	StartsCold int    `json:"starts_cold"`
	StartsWarm int    `json:"starts_warm"`
	Stops      int    `json:"stops"`
	Lost       uint64 `json:"lost"` // checks that were seen and not recorded
	// LossUnknown is set where the hook cannot count what it missed.
	LossUnknown bool `json:"loss_unknown,omitempty"`
	// CallsUnseen says in one clause why not what its programs do with their own sets, without any
	// check, was seen (prctl); empty if it was.
	CallsUnseen string `json:"calls_unseen,omitempty"`
	// Complete is set when the operator said that everything the workload does was exercised.
	Complete bool `json:"complete,omitempty"`
	// Execs is set when the operator said that what `docker exec` runs is the workload's own work.
	Execs bool `json:"execs,omitempty"`
	// FilesUnseen says in one clause why its files were not all scanned for file capabilities;
	// empty if they were.
	FilesUnseen string `json:"files_unseen,omitempty"`
	// Summed is how many old recordings this stands for, that are not kept apart any more; 0 for
	// one. Container and Since are then the first's, Seconds the longest's, and the rest are sums.
	Summed int `json:"summed,omitempty"`
}

// Recordings is how many it stands for.
func (s Source) Recordings() int { return max(1, s.Summed) }

// Class is what one kind of check means for the program that caused it.
type Class string

// The classes, those that make a capability required first.
const (
	Decisive    Class = "decisive"    // without it this call fails
	Alternative Class = "alternative" // one of several capabilities would do
	Silent      Class = "silent"      // the call succeeds without it, but means something else
	Static      Class = "static"      // by file capabilities or seccomp coupling, never checked
	Inspected   Class = "inspected"   // the program names it in its own sets
	UnknownNeed Class = "unknown"     // a site that no rule knows: kept
	Advisory    Class = "advisory"    // the kernel asked, nothing depends on it
	Ungrantable Class = "ungrantable" // no capability of the container could grant it
)

// Keeps tells whether a granted check of this class makes its capability required.
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

// Need is what was seen of one capability, with one outcome and class.
type Need struct {
	Cap     caps.Cap `json:"cap"`
	Outcome string   `json:"outcome"` // granted or denied
	Class   Class    `json:"class"`
	Count   uint64   `json:"count"`
	First   string   `json:"first"` // RFC 3339, UTC
	Last    string   `json:"last"`
	Sources int      `json:"sources"` // of how many containers
	By      []By     `json:"by"`
	Because string   `json:"because"` // what breaks without it, in one sentence
	// Or holds other capabilities, any one of which would do as well; for Alternative.
	Or caps.Set `json:"or,omitempty"`
	// Flagged is set where only programs that are not proven to be the image's caused the checks
	// (see Suspect): then it keeps nothing beyond the engine's defaults, unless an operator of this
	// host approved it.
	Flagged bool `json:"flagged,omitempty"`
	// Exec is set where what `docker exec` ran caused the checks, and not the workload itself: then
	// it keeps nothing, unless approved.
	Exec     bool `json:"exec,omitempty"`
	Approved bool `json:"approved,omitempty"`
	// TryWithout is set where the kernel was asked, and only the program knows whether it minds the
	// answer: programs often go on without. It is kept; a trial tells. TryBecause says why, in one
	// clause.
	TryWithout bool   `json:"try_without,omitempty"`
	TryBecause string `json:"try_because,omitempty"`
}

// Doubted tells whether the need keeps less than its class says until an operator approves of it.
func (n Need) Doubted() bool { return (n.Flagged || n.Exec) && !n.Approved }

// By is one program, system call and place in the kernel that caused checks.
type By struct {
	Exe     string `json:"exe"`      // path in the container; empty if it could not be resolved
	ExeFrom string `json:"exe_from"` // image, volume, written, memory, unknown
	Syscall string `json:"syscall"`
	Site    string `json:"site"` // the kernel function that asked
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
	Level   string   `json:"level"` // low, medium, high
	Because []string `json:"because"`
}

// The levels of confidence. Low: no start seen. Medium: a cold start and 10 minutes. High: a cold
// and a warm start, a stop, an hour or an explicit end of tests, and nothing unknown.
const (
	ConfidenceLow    = "low"
	ConfidenceMedium = "medium"
	ConfidenceHigh   = "high"
)
