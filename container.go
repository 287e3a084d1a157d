package dropcap

import "dropcap/caps"

// Container is what was seen of one container: its declaration, what the engine grants for it, and
// what its processes hold.
type Container struct {
	ID      string `json:"id"`   // 64 hex digits
	Name    string `json:"name"` // without the leading slash
	Image   string `json:"image"`
	ImageID string `json:"image_id"`
	// the engine's word: created, running, paused, restarting, removing, exited, dead
	State    string   `json:"state"`
	User     string   `json:"user"`
	PID      int      `json:"pid"` // of its first process on the engine's host; 0 if not running
	Workload string   `json:"workload"`
	Owner    Owner    `json:"owner"`
	Declared Declared `json:"declared"`
	Labels   []string `json:"labels"` // names only, sorted: values may hold secrets
	// ImageLabels are those of Labels that are not believed, since the image brought them or may
	// have; null where that is not known.
	ImageLabels []string `json:"image_labels"`
	// LabelValues are the believed labels. They are known only while looking at a live engine and
	// never enter a document; nil if unknown.
	LabelValues map[string]string `json:"-"`
	// what the engine says of labels, until package owner has settled what is believed
	Said Labels `json:"-"`
	// Entrypoint and Command may hold secrets: they are for Revision, which is a fingerprint of
	// them. None enters a document.
	Entrypoint, Command []string `json:"-"`
	Revision            string   `json:"-"` // as in WorkloadEvidence; empty if not known
	Runtime             string   `json:"runtime"`
	Network             string   `json:"network"` // the network mode
	Created             string   `json:"created"` // RFC 3339, the engine's word
	Execs               []Exec   `json:"execs"`   // live ones
	// null if it cannot be computed; then WhyNot says why
	Predicted *caps.Set `json:"predicted"`
	WhyNot    string    `json:"predicted_why_not,omitempty"`
	Kernel    Kernel    `json:"kernel"`
	// Unread is why the engine's description of the container could not be read; all else but ID
	// and Name is then not known, and State empty.
	Unread string `json:"unread,omitempty"`
	// Retained is the change of ours that left this container behind, stopped; empty for any other.
	Retained string `json:"retained,omitempty"`
}

// Declared is the configuration's capability part, names exactly as stored.
type Declared = caps.Declared

// Owner is who would re-create the container. The zero value of the other fields is what that kind
// of owner does not have.
type Owner struct {
	Kind    string `json:"kind"` // docker, compose, …: internal/owner has one file for each
	Project string `json:"project,omitempty"`
	Service string `json:"service,omitempty"`
	// Claimed names an owner that labels claim and that is not believed, since the image carries
	// the same label.
	Claimed string `json:"claimed,omitempty"`
}

// Exec is a live `docker exec`.
type Exec struct {
	ID         string `json:"id"`
	PID        int    `json:"pid"`
	Privileged bool   `json:"privileged"`
	User       string `json:"user"`
}

// Kernel is what the processes of a container hold by the kernel's own word (/proc/PID/status of
// every thread in its cgroup). The sets are the union over all of them; null where nothing was
// seen.
type Kernel struct {
	Visible bool   `json:"visible"`
	WhyNot  string `json:"why_not"`
	// Held is the union of the five sets below: what can be used or got back. Each counts by
	// itself, since a program may drop its whole bounding set and keep what is permitted
	// (capabilities(7), PR_CAPBSET_DROP).
	Held        *caps.Set `json:"held"`
	Bounding    *caps.Set `json:"bounding"`
	Effective   *caps.Set `json:"effective"`
	Permitted   *caps.Set `json:"permitted"`
	Inheritable *caps.Set `json:"inheritable"`
	Ambient     *caps.Set `json:"ambient"`
	NoNewPrivs  bool      `json:"no_new_privs"` // every process has it
	// of the first process: "host", "own", or empty if it cannot be known
	UserNS string `json:"user_ns"`
	// Nested is what processes hold within user namespaces that were made inside the container, and
	// no part of the other sets; null where there is no such process.
	Nested    *caps.Set `json:"nested,omitempty"`
	Processes []Process `json:"processes"`
}

// Holds is the union of the sets that are there: documents written before Held was told have only
// the others. nil if neither it nor the bounding set was seen.
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

// The user namespaces of a process, as far as they can be told.
const (
	UserNSHost   = "host"   // that of the host's first process
	UserNSOwn    = "own"    // that of the container's first process
	UserNSNested = "nested" // made within the container's own
	// none of these: one that the first process has left, another container's
	UserNSOther = "other"
)

// The origins of a process: the container's first one, a descendant of it, or one that came by
// docker exec (or from one that did).
const (
	OriginInit           = "init"
	OriginChild          = "child"
	OriginExec           = "exec"
	OriginExecPrivileged = "exec-privileged"
)

// NotRunning is Kernel.WhyNot of a container without processes: it is judged by what is predicted
// for its next start.
const NotRunning = "not running"

// Process is one or more processes of a container with the same origin and the same sets.
type Process struct {
	PIDs        []int  `json:"pids"`  // on the engine's host, ascending; the first 1,000
	Count       int    `json:"count"` // of all of them
	Comm        string `json:"comm"`  // of the first; a program may call itself anything
	Origin      string `json:"origin"`
	Bounding    string `json:"bounding"` // masks of 16 hexadecimal digits
	Effective   string `json:"effective"`
	Permitted   string `json:"permitted"`
	Inheritable string `json:"inheritable"`
	Ambient     string `json:"ambient"`
	NoNewPrivs  bool   `json:"no_new_privs"`
	// UserNS is one of the constants above, or empty if it cannot be known. Only what a nested
	// process holds does not count for the container: it gives no power outside that namespace.
	UserNS string `json:"user_ns"`
}

// Holds is the union of the process's sets, as far as they can be read. The error says that one is
// no mask.
func (p Process) Holds() (caps.Set, error) {
	var all caps.Set
	var bad error
	for _, hex := range []string{p.Bounding, p.Permitted, p.Effective, p.Inheritable, p.Ambient} {
		if hex == "" { // a document by hand
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

// Running tells whether the container has processes.
func (c Container) Running() bool {
	return c.State == "running" || c.State == "paused"
}

// Ref names a container, as the engine lists it.
type Ref struct {
	ID   string // 64 hex digits
	Name string // without the leading slash
}
