package dropcap

import "dropcap/caps"

// SchemaPlan is the schema of Plan.
const SchemaPlan = "dropcap.plan/v1"

// Plan says what would change, container by container. A plan from a file is untrusted input: its
// Commands are for people and never run, and apply computes each step again.
type Plan struct {
	Schema string `json:"schema"`
	// 12 hexadecimal digits, over everything below except Created and Missing
	ID      string    `json:"id"`
	Created string    `json:"created"`
	Host    Host      `json:"host"`
	Policy  PolicyRef `json:"policy"`
	Steps   []Step    `json:"steps"`            // in the order to apply them
	Missing []string  `json:"absent,omitempty"` // as in Snapshot; not part of ID
}

// Strategy says how a container gets its new declaration.
type Strategy string

// The strategies. Recreate: a new container with the same configuration replaces the old one, which
// is retained. InPlace: the engine's own file of the container is edited while the engine is
// stopped. Source: the owner's file or service is edited, and the owner re-creates the container.
// Manual: a person does it.
const (
	StrategyRecreate Strategy = "recreate"
	StrategyInPlace  Strategy = "in-place"
	StrategySource   Strategy = "source"
	StrategyManual   Strategy = "manual"
)

// Step is the change of one container's declaration.
type Step struct {
	Container  Target   `json:"container"`
	Workload   string   `json:"workload"`
	Owner      Owner    `json:"owner"`
	Strategy   Strategy `json:"strategy"`
	Before     Grant    `json:"before"`
	After      Grant    `json:"after"` // After.Holds is always a subset of Before.Holds
	Drop       caps.Set `json:"drop"`
	Retained   []Retain `json:"retained"`
	Confidence string   `json:"confidence"` // low, medium, high; empty without evidence
	Refused    string   `json:"refused"`    // why it will not be applied; empty if it can be
	Hint       string   `json:"hint,omitempty"`
	// Refusals are the single reasons that Refused and Hint join.
	Refusals []Refusal `json:"refusals,omitempty"`
	Warnings []string  `json:"warnings"`
	Promise  string    `json:"promise"`  // what the strategy promises
	Downtime string    `json:"downtime"` // what to expect, in words
	Commands Commands  `json:"commands"`
	// ids of the containers whose namespaces it shares or that it links to
	DependsOn []string `json:"depends_on,omitempty"`
	// With is the name of the container with which it is changed in one step, since it uses that
	// one's namespaces or links to it; empty if it has a step of its own.
	With string `json:"with,omitempty"`
	// Layer is what is copied from the container's writable layer into the new one; nil if nothing
	// is. It is not part of the plan's ID, since a container keeps writing.
	Layer *CarriedLayer `json:"layer,omitempty"`
}

// CarriedLayer describes a container's writable layer that is copied to the new container.
type CarriedLayer struct {
	Bytes   int64 `json:"bytes"`   // occupied by its files
	Entries int64 `json:"entries"` // files, folders, links and all else
	// DowntimeMS is the estimated duration of the last pass over it, while the container is
	// stopped, without reading again each file that has changed since the plan, in milliseconds.
	DowntimeMS int64 `json:"downtime_ms"`
}

// Changes reports whether the step would change anything.
func (s Step) Changes() bool { return s.Drop != 0 || s.Before.Privileged != s.After.Privileged }

// Refusal is one reason not to apply a step. docs/refusals.md explains each slug.
type Refusal struct {
	Slug    string `json:"slug"` // stable
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Target is the container that a step is bound to. The fingerprint is keyed with a secret of the
// store and covers the declaration; a container that has changed has another one.
type Target struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
}

// Grant is a declaration and the set that the engine grants for it on that host.
type Grant struct {
	Privileged bool     `json:"privileged"`
	CapAdd     []string `json:"cap_add"`
	CapDrop    []string `json:"cap_drop"`
	Holds      caps.Set `json:"holds"`
}

// Retain is a capability that the container keeps, and the reason: "evidence …", "policy …" or
// "declared".
type Retain struct {
	Cap     caps.Cap `json:"cap"`
	Because string   `json:"because"`
}

// Commands do, or undo, the step by hand. Environment values come from a file (--env-file).
type Commands struct {
	Apply   string `json:"apply"`
	Backout string `json:"backout"`
	Source  string `json:"source"` // a patch for the owner's file, or its exact text
	// Reveal writes the file from which Apply reads the values that it must not show; empty if it
	// needs none.
	Reveal string `json:"reveal,omitempty"`
}
