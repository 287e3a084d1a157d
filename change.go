package dropcap

import (
	"fmt"
	"slices"
	"strings"
)

// SchemaChange is the schema of Changes.
const SchemaChange = "dropcap.change/v1"

// Changes is the history of a host.
type Changes struct {
	Schema  string   `json:"schema"`
	Changes []Change `json:"changes"` // newest first
	// Holds are the holds among them, running and over, the newest first.
	Holds []Trial `json:"holds,omitempty"`
}

// Change is one applied step, from its beginning to its end or its backout.
type Change struct {
	ID       string      `json:"id"` // 12 hexadecimal digits
	Plan     string      `json:"plan"`
	Host     string      `json:"host"` // id of the host
	Workload string      `json:"workload"`
	Name     string      `json:"name"` // the container's
	Strategy Strategy    `json:"strategy"`
	Before   string      `json:"container_before"` // id of the container that is retained
	After    string      `json:"container_after"`  // id; empty until it exists
	Was      Grant       `json:"was"`
	Is       Grant       `json:"is"`
	State    ChangeState `json:"state"`
	Started  string      `json:"started"` // RFC 3339, UTC
	Ended    string      `json:"ended"`   // empty while it runs
	// DowntimeMS is the time from the request to stop the old container until the new one was
	// started, in milliseconds; 0 if nothing was stopped.
	DowntimeMS int64  `json:"downtime_ms"`
	Because    string `json:"because"` // why it was rolled back or needs a person
	// the retained container was removed: a backout re-creates it
	Pruned bool `json:"pruned,omitempty"`
	// the journal keeps the last output of a new container that failed or was backed out
	Logged   bool    `json:"logged,omitempty"`
	Timeline []Event `json:"timeline"`
	// ids of the new containers that a rollback has kept, stopped: each has written into its own
	// layer what is nowhere else
	Kept []string `json:"kept,omitempty"`

	// Others are the other containers changed in the same step: the other services of a Compose
	// project, or the containers in a provider's namespaces. They are rolled back and backed out
	// together.
	Others []ChangedContainer `json:"others,omitempty"`
}

// ChangedContainer is one more container of a change.
type ChangedContainer struct {
	Workload string `json:"workload"`
	Name     string `json:"name"`
	Before   string `json:"container_before"` // id
	After    string `json:"container_after"`  // id; empty until it exists
	Was      Grant  `json:"was"`
	Is       Grant  `json:"is"`
}

// Containers returns all containers of the change, the one that names it first.
func (c Change) Containers() []ChangedContainer {
	return append([]ChangedContainer{{c.Workload, c.Name, c.Before, c.After, c.Was, c.Is}},
		c.Others...)
}

// Title names the containers of a change for people: "web", "web and db", "web, db and 2 more".
func (c Change) Title() string {
	const most = 3
	var names []string
	for _, o := range c.Containers() {
		names = append(names, o.Name)
	}
	last := names[len(names)-1]
	if len(names) > most {
		last = fmt.Sprintf("%d more", len(names)-most+1)
		names = names[:most]
	}
	if len(names) == 1 {
		return last
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + last
}

// Retained returns the id of the stopped container that a change keeps until it is pruned: the old
// one after an apply, the new one after a backout, and after a rollback if that kept it. Empty if
// there is none.
func (c Change) Retained() string { return c.retained(c.Before, c.After) }

func (c Change) retained(before, after string) string {
	switch {
	case c.Strategy != StrategyRecreate || c.Pruned:
		return ""
	case c.State == Applied:
		return before
	case c.State == BackedOut || c.State == RolledBack && slices.Contains(c.Kept, after):
		return after
	}
	return ""
}

// AllRetained returns the ids of all stopped containers that a change keeps.
func (c Change) AllRetained() (ids []string) {
	for _, o := range c.Containers() {
		if id := c.retained(o.Before, o.After); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// Event is one entry of a change's timeline: an effect that began or ended, or a decision.
type Event struct {
	At    string `json:"at"` // RFC 3339 with fractions of a second, UTC
	Event string `json:"event"`
}

// ChangeState is the progress of a change.
type ChangeState string

// The states. Preparing: nothing has been stopped. Switching: between the stop of the old and the
// start of the new. Checking: the gate. The final states are Applied, RolledBack, BackedOut and
// NeedsPerson; the others exist only while the change runs or after a crash, and recover looks for
// them.
const (
	Preparing   ChangeState = "preparing"
	Switching   ChangeState = "switching"
	Checking    ChangeState = "checking"
	Applied     ChangeState = "applied"
	RollingBack ChangeState = "rolling-back"
	RolledBack  ChangeState = "rolled-back"
	BackingOut  ChangeState = "backing-out"
	BackedOut   ChangeState = "backed-out"
	NeedsPerson ChangeState = "needs-person"
)

// ChangeStates returns all states.
func ChangeStates() []ChangeState {
	return []ChangeState{Preparing, Switching, Checking, Applied, RollingBack, RolledBack,
		BackingOut, BackedOut, NeedsPerson}
}

// Over reports whether the change is in a final state.
func (s ChangeState) Over() bool {
	return s == Applied || s == RolledBack || s == BackedOut || s == NeedsPerson
}
