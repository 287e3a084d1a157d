package dropcap

import (
	"fmt"
	"strings"
)

// SchemaChange is the schema of Changes.
const SchemaChange = "dropcap.change/v1"

// Changes is the history of a host.
type Changes struct {
	Schema  string   `json:"schema"`
	Changes []Change `json:"changes"` // newest first
}

// Change is one applied step, from its beginning to its end or its backout.
type Change struct {
	ID       string      `json:"id"` // 12 hexadecimal digits
	Plan     string      `json:"plan"`
	Host     string      `json:"host"` // id of the host
	Workload string      `json:"workload"`
	Name     string      `json:"name"` // the container's
	Strategy Strategy    `json:"strategy"`
	Before   string      `json:"container_before"` // id; the one that is retained
	After    string      `json:"container_after"`  // id; empty until it exists
	Was      Grant       `json:"was"`
	Is       Grant       `json:"is"`
	State    ChangeState `json:"state"`
	Started  string      `json:"started"` // RFC 3339, UTC
	Ended    string      `json:"ended"`   // empty while it goes on
	// DowntimeMS is from the request to stop the one container until the other was started, in
	// milliseconds; 0 if nothing was stopped.
	DowntimeMS int64  `json:"downtime_ms"`
	Because    string `json:"because"` // why it was rolled back, or needs a person
	// the retained container is gone: a backout re-creates it
	Pruned bool `json:"pruned,omitempty"`
	// the journal keeps what the new container printed last that failed or was backed out
	Logged   bool    `json:"logged,omitempty"`
	Timeline []Event `json:"timeline"`

	// Others are the containers that were changed in the same step besides the one above: the other
	// services of a Compose project, or what lives in the namespaces of a provider. They are rolled
	// back and backed out with it.
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

// Containers are all that the change is about, the one that bears its name first.
func (c Change) Containers() []ChangedContainer {
	return append([]ChangedContainer{{c.Workload, c.Name, c.Before, c.After, c.Was, c.Is}},
		c.Others...)
}

// Title is what people read of which containers a change is about: "web", "web and db", "web, db
// and 2 more".
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

// Retained is the id of the container that a change left behind, stopped, until it is pruned: the
// old one where it was applied, the new one where it was backed out. Empty if there is none.
func (c Change) Retained() string {
	switch {
	case c.Strategy != StrategyRecreate || c.Pruned:
		return ""
	case c.State == Applied:
		return c.Before
	case c.State == BackedOut:
		return c.After
	}
	return ""
}

// AllRetained are the ids of all containers that a change left behind.
func (c Change) AllRetained() (ids []string) {
	if c.Retained() == "" {
		return nil
	}
	for _, o := range c.Containers() {
		id := o.Before
		if c.State == BackedOut {
			id = o.After
		}
		if id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// Event is one thing that happened in a change: an effect that began or ended, or a decision.
type Event struct {
	At    string `json:"at"` // RFC 3339 with fractions of a second, UTC
	Event string `json:"event"`
}

// ChangeState is how far a change has come.
type ChangeState string

// The states. Preparing: nothing has been stopped. Switching: between the stop of the old and the
// start of the new. Checking: the gate. The states that a change can end in are Applied,
// RolledBack, BackedOut and NeedsPerson; all others are found only while it goes on, or after a
// crash, and are what recover looks for.
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

// Over tells whether nothing goes on any more.
func (s ChangeState) Over() bool {
	return s == Applied || s == RolledBack || s == BackedOut || s == NeedsPerson
}
