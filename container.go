package dropcap

import "dropcap/caps"

// Container describes one container: its declaration, what the engine grants for it, and what its
// processes hold.
type Container struct {
	ID      string `json:"id"`   // 64 hex digits
	Name    string `json:"name"` // without the leading slash
	Image   string `json:"image"`
	ImageID string `json:"image_id"`
	// as the engine reports it: created, running, paused, restarting, removing, exited, dead
	State    string   `json:"state"`
	User     string   `json:"user"`
	PID      int      `json:"pid"` // of its first process on the engine's host; 0 if not running
	Workload string   `json:"workload"`
	Owner    Owner    `json:"owner"`
	Declared Declared `json:"declared"`
	Labels   []string `json:"labels"` // names only, sorted: values may hold secrets
	// ImageLabels are the labels that are not trusted, since they come from the image or may; null
	// if that is not known.
	ImageLabels []string `json:"image_labels"`
	// LabelValues are the trusted labels. They are known only while dropcap reads a live engine and
	// never enter a document; nil if unknown.
	LabelValues map[string]string `json:"-"`
	// the labels as the engine reports them, before package owner decides which are trusted
	EngineLabels Labels `json:"-"`
	// Entrypoint and Command may hold secrets. They serve only to compute Revision, and never enter
	// a document.
	Entrypoint, Command []string `json:"-"`
	Revision            string   `json:"-"` // as in WorkloadEvidence; empty if not known
	Runtime             string   `json:"runtime"`
	Network             string   `json:"network"` // the network mode
	Created             string   `json:"created"` // RFC 3339, as the engine reports it
	Execs               []Exec   `json:"execs"`   // live ones
	// null if it cannot be computed; WhyNot then says why
	Predicted *caps.Set `json:"predicted"`
	WhyNot    string    `json:"predicted_why_not,omitempty"`
	Kernel    Kernel    `json:"kernel"`
	// Unread says why the engine's description of the container could not be read; then only ID and
	// Name are known, and State is empty.
	Unread string `json:"unread,omitempty"`
	// Retained is the change that keeps this stopped container; empty for any other.
	Retained string `json:"retained,omitempty"`
	// HeldBack is what the kernel denies to the container by a hold, whatever it holds; null if it
	// denies nothing.
	HeldBack *HeldBack `json:"held_back,omitempty"`
}

// Declared is the capability part of the configuration, with names exactly as stored.
type Declared = caps.Declared

// Owner is who would re-create the container. Fields that a kind of owner does not have are empty.
type Owner struct {
	Kind    string `json:"kind"` // docker, compose, …: internal/owner has one file for each
	Project string `json:"project,omitempty"`
	Service string `json:"service,omitempty"`
	// Claimed names an owner that labels claim but that is not trusted, since the image has the
	// same label.
	Claimed string `json:"claimed,omitempty"`
}

// Exec is a live `docker exec`.
type Exec struct {
	ID         string `json:"id"`
	PID        int    `json:"pid"`
	Privileged bool   `json:"privileged"`
	User       string `json:"user"`
}

// Kernel is what the processes of a container hold according to the kernel (/proc/PID/status of
// every thread in its cgroup). Each set is the union over all threads; null if none was observed.
type Kernel struct {
	Visible bool   `json:"visible"`
	WhyNot  string `json:"why_not"`
	// Held is the union of the five sets below: what can be used or regained. Each counts by
	// itself, since a program may drop its whole bounding set and keep what is permitted
	// (capabilities(7), PR_CAPBSET_DROP).
	Held        *caps.Set `json:"held"`
	Bounding    *caps.Set `json:"bounding"`
	Effective   *caps.Set `json:"effective"`
	Permitted   *caps.Set `json:"permitted"`
	Inheritable *caps.Set `json:"inheritable"`
	Ambient     *caps.Set `json:"ambient"`
	NoNewPrivs  bool      `json:"no_new_privs"` // set for every process
	// of the first process: "host", "own", or empty if it cannot be known
	UserNS string `json:"user_ns"`
	// Nested is what processes hold within user namespaces created inside the container. It is not
	// part of the other sets; null if there is no such process.
	Nested    *caps.Set `json:"nested,omitempty"`
	Processes []Process `json:"processes"`
}

// Holds returns the union of the sets that are present: older documents lack Held. nil if neither
// Held nor the bounding set was observed.
func (k Kernel) Holds() *caps.Set {
	if k.Held == nil && k.Bounding == nil {
		return nil
	}
	var all caps.Set
	for _, s := range []*caps.Set{k.Held, k.Bounding, k.Permitted, k.Effective, k.Inheritable,
		k.Ambient} {
		if s != nil {
			all |= *s
		}
	}
	return &all
}

// The user namespaces of a process, as far as they can be determined.
const (
	UserNSHost   = "host"   // the namespace of the host's first process
	UserNSOwn    = "own"    // the namespace of the container's first process
	UserNSNested = "nested" // created within the container's namespace
	// none of these: a namespace that the first process has left, or another container's
	UserNSOther = "other"
)

// The origins of a process: the container's first process, one of its descendants, or one started
// by docker exec (or a descendant of that).
const (
	OriginInit           = "init"
	OriginChild          = "child"
	OriginExec           = "exec"
	OriginExecPrivileged = "exec-privileged"
)

// NotRunning is Kernel.WhyNot of a container without processes, which is judged by the set
// predicted for its next start.
const NotRunning = "not running"

// Process is one or more processes of a container with the same origin and the same sets.
type Process struct {
	PIDs        []int  `json:"pids"`  // on the engine's host, ascending; the first 1,000
	Count       int    `json:"count"` // of all of them
	Comm        string `json:"comm"`  // of the first; a program can choose any name
	Origin      string `json:"origin"`
	Bounding    string `json:"bounding"` // masks of 16 hexadecimal digits
	Effective   string `json:"effective"`
	Permitted   string `json:"permitted"`
	Inheritable string `json:"inheritable"`
	Ambient     string `json:"ambient"`
	NoNewPrivs  bool   `json:"no_new_privs"`
	// UserNS is one of the constants above, or empty if it cannot be known. What a nested process
	// holds does not count for the container, since it has no effect outside that namespace.
	UserNS string `json:"user_ns"`
}

// Holds returns the union of the process's sets that can be parsed, and an error if one cannot.
func (p Process) Holds() (caps.Set, error) {
	var all caps.Set
	var bad error
	for _, hex := range []string{p.Bounding, p.Permitted, p.Effective, p.Inheritable, p.Ambient} {
		if hex == "" { // a document written by hand
			continue
		}
		s, err := caps.ParseMask(hex)
		if err != nil {
			bad = err
		}
		all |= s
	}
	return all, bad
}

// Running reports whether the container has processes.
func (c Container) Running() bool {
	return c.State == "running" || c.State == "paused"
}

// Ref names a container, as the engine lists it.
type Ref struct {
	ID   string // 64 hex digits
	Name string // without the leading slash
}
