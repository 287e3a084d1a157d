package dropcap

import "dropcap/caps"

// SchemaTrial is the schema of Trials.
const SchemaTrial = "dropcap.trial/v1"

// Trials are the trials and holds of a host.
type Trials struct {
	Schema string  `json:"schema"`
	Trials []Trial `json:"trials"` // newest first
}

// Trial is one container to which the kernel denies capabilities: for a time, and only while
// somebody watches (a trial), or until a date or its release (a hold). The container's own sets
// stay as they are.
type Trial struct {
	ID        string    `json:"id"` // 12 hexadecimal digits
	Kind      TrialKind `json:"kind"`
	Host      string    `json:"host"` // id of the host
	Workload  string    `json:"workload"`
	Revision  string    `json:"revision"`  // as in WorkloadEvidence
	Name      string    `json:"name"`      // the container's, of a hold the last one's
	Container string    `json:"container"` // id of the container, of a hold the last one's
	Hook      string    `json:"hook"`      // "fmod_ret/security_capable" or "lsm/capable"
	// Containers are the ids of all containers that a hold denies to: the workload's. Null in a
	// trial.
	Containers []string `json:"containers,omitempty"`

	Asked  caps.Set `json:"asked"`  // what should be denied
	Denied caps.Set `json:"denied"` // what is denied now: Asked without what was lifted
	Lifted []Lift   `json:"lifted"`

	State   TrialState `json:"state"`
	Because string     `json:"because"` // why it ended, in one sentence; empty while it runs
	Since   string     `json:"since"`   // RFC 3339, UTC
	Until   string     `json:"until"`   // when it will end by itself; empty: only when released
	Ended   string     `json:"ended"`   // empty while it runs
	Seconds int64      `json:"seconds"` // of running while denied
	Starts  int        `json:"starts"`  // of the container, while denied
	Stops   int        `json:"stops"`

	// Denials are the checks that were denied by the trial, by capability and class, decisive ones
	// too. Count is exact.
	Denials []Need `json:"denials"`
	// Lost are denied checks that were counted but of which nothing else is known.
	Lost uint64 `json:"lost"`
	// Unshown says for each capability what a trial of it cannot show.
	Unshown []Unshown `json:"unshown"`
}

// TrialKind is the kind of a Trial.
type TrialKind string

// The kinds. A trial ends with its process, a hold does not.
const (
	KindTrial TrialKind = "trial"
	KindHold  TrialKind = "hold"
)

// TrialState is the progress of a Trial.
type TrialState string

// The states. Running: something is denied, or nothing is left to deny but the trial goes on to
// watch. Done: its time is over. Lifted: it ended early, since something went wrong or nothing was
// left to deny. Stopped: a person ended it. Died: its process ended without a word, and the kernel
// let go. Expired and Released are a hold's ends.
const (
	TrialRunning  TrialState = "running"
	TrialDone     TrialState = "done"
	TrialLifted   TrialState = "lifted"
	TrialStopped  TrialState = "stopped"
	TrialDied     TrialState = "died"
	TrialExpired  TrialState = "expired"
	TrialReleased TrialState = "released"
)

// Over reports whether nothing is denied by the trial any more.
func (s TrialState) Over() bool { return s != TrialRunning }

// Lift is one or several capabilities that a trial stopped denying before its end.
type Lift struct {
	Caps    caps.Set `json:"caps"`
	At      string   `json:"at"`      // RFC 3339 with fractions of a second, UTC
	Because string   `json:"because"` // in one sentence
	// By is the program and call that was denied; nil if something else was the reason.
	By *By `json:"by,omitempty"`
	// Started is set if the denied program had itself started under the trial: it may have taken
	// another way for good, so that only a restart shows that nothing is missing.
	Started bool `json:"started,omitempty"`
}

// HeldBack is what a hold denies to a container.
type HeldBack struct {
	Hold  string   `json:"hold"` // id of the Trial
	Caps  caps.Set `json:"caps"`
	Since string   `json:"since"` // RFC 3339, UTC
	Until string   `json:"until"` // empty: until somebody releases it
}

// Unshown is what a trial of a capability cannot show.
type Unshown struct {
	Cap     caps.Cap `json:"cap"`
	Because string   `json:"because"` // in one sentence
}

// Tried is how long a workload has run while the kernel denied it capabilities, without a decisive
// denial of these.
type Tried struct {
	Caps caps.Set `json:"caps"`
	Host struct {
		ID string `json:"id"`
	} `json:"host"`
	Container string `json:"container"` // id
	Trial     string `json:"trial"`     // id of the Trial
	Since     string `json:"since"`     // RFC 3339, UTC
	Until     string `json:"until"`
	Seconds   int64  `json:"seconds"` // of running while denied
	Starts    int    `json:"starts"`
	Denied    uint64 `json:"denied"` // checks that were denied, none of them decisive
	// Exercised are those of Caps of which a check was denied.
	Exercised caps.Set `json:"exercised"`
	Lost      uint64   `json:"lost"`
	// Complete is set if the operator declared that everything the workload does was exercised.
	Complete bool `json:"complete,omitempty"`
}
