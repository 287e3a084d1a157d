package dropcap

import "dropcap/caps"

// SchemaPlan is the schema of Plan.
const SchemaPlan = "dropcap.plan/v1"

// Plan says what would be changed, container by container. One that came from a file is input, not
// truth: its Commands are for people and never run, and whoever applies it computes each step
// again.
type Plan struct {
	Schema string `json:"schema"`
	// 12 hexadecimal digits, over everything below but Created and Absent
	ID      string    `json:"id"`
	Created string    `json:"created"`
	Host    Host      `json:"host"`
	Policy  PolicyRef `json:"policy"`
	Steps   []Step    `json:"steps"`            // in the order in which they are to be applied
	Absent  []string  `json:"absent,omitempty"` // as in Snapshot; not part of ID
}

// Strategy is how a container gets its new declaration.
type Strategy string

// The strategies. Recreate: a new container with the same configuration takes the place of the old
// one, which is retained. InPlace: the engine's own file of the same container is changed while the
// engine is stopped. Source: the owner's own file or service is changed, and the owner re-creates
// the container. Manual: a person has to.
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
	After      Grant    `json:"after"` // After.Holds is always within Before.Holds
	Drop       caps.Set `json:"drop"`
	Retained   []Retain `json:"retained"`
	Confidence string   `json:"confidence"` // low, medium, high; empty without evidence
	Refused    string   `json:"refused"`    // why it will not be applied; empty if it may be
	Hint       string   `json:"hint,omitempty"`
	// Refusals are what Refused and Hint put together, each by itself.
	Refusals []Refusal `json:"refusals,omitempty"`
	Warnings []string  `json:"warnings"`
	Promise  string    `json:"promise"`  // what the strategy promises
	Downtime string    `json:"downtime"` // what to expect, in words
	Commands Commands  `json:"commands"`
	// ids of the containers that it shares a namespace with or links to
	DependsOn []string `json:"depends_on,omitempty"`
	// Layer is what of the container's own layer is carried along into the new one; nil if nothing
	// is. It is not part of the plan's ID, since a container writes on.
	Layer *CarriedLayer `json:"layer,omitempty"`
}

// CarriedLayer is the writable layer of a container that is carried along.
type CarriedLayer struct {
	Bytes   int64 `json:"bytes"`   // that its files occupy
	Entries int64 `json:"entries"` // files, folders, links and whatever else
	// DowntimeMS is about how long the last look at it takes, while the container is stopped,
	// besides reading once more each file that has changed since the plan, in milliseconds.
	DowntimeMS int64 `json:"downtime_ms"`
}

// Changes tells whether the step would change anything.
func (s Step) Changes() bool { return s.Drop != 0 || s.Before.Privileged != s.After.Privileged }

// Refusal is one reason not to apply a step. docs/refusals.md explains each slug.
type Refusal struct {
	Slug    string `json:"slug"` // stable
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Target is the container that a step is bound to. The fingerprint is keyed with a secret of the
// store and covers what was declared; a container that was changed since has another.
type Target struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
}

// Grant is a declaration and what the engine grants for it on that host.
type Grant struct {
	Privileged bool     `json:"privileged"`
	CapAdd     []string `json:"cap_add"`
	CapDrop    []string `json:"cap_drop"`
	Holds      caps.Set `json:"holds"`
}

// Retain is a capability that the container keeps, and why: "evidence …", "policy …" or "declared".
type Retain struct {
	Cap     caps.Cap `json:"cap"`
	Because string   `json:"because"`
}

// Commands are what a person would type to do, or undo, the same by hand. Values of the environment
// stand in a file (--env-file).
type Commands struct {
	Apply   string `json:"apply"`
	Backout string `json:"backout"`
	Source  string `json:"source"` // a patch of the owner's file, or its exact text
	// Reveal writes the file out of which Apply takes what it must not show; empty if it needs
	// none.
	Reveal string `json:"reveal,omitempty"`
}
