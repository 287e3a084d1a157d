package dropcap

import (
	"encoding/json"
	"strings"
)

// SchemaFleet is the schema of Fleet.
const SchemaFleet = "dropcap.fleet/v1"

// Fleet is the result of one verb on many hosts.
type Fleet struct {
	Schema    string         `json:"schema"`
	Run       FleetRun       `json:"run"`
	Documents []HostDocument `json:"documents"` // in the order of the hosts
	// hosts without a document, or with one that reports an error
	Failures []HostFailure `json:"failures"`
}

// HostDocument is the document of one host, in its own schema, exactly as the host wrote it. After
// a backout, the document of the run that applied shows the present state of each change.
type HostDocument struct {
	Host     string          `json:"host"`     // "account/region/node"
	Name     string          `json:"name"`     // the computer's own name: not trusted
	Document json.RawMessage `json:"document"` // nil if it is packed
	Packed   Packed          `json:"-"`
}

// Node returns the id of the managed node: the last part of "account/region/node".
func (d HostDocument) Node() string { return NodeOf(d.Host) }

// NodeOf returns the last part of "account/region/node".
func NodeOf(host string) string { return host[strings.LastIndexByte(host, '/')+1:] }

// PlaceOf returns "account/region/node" without its last part.
func PlaceOf(host string) string { return host[:max(0, strings.LastIndexByte(host, '/'))] }

// Packed is a compressed JSON document: ten thousand hosts' documents would not fit into memory
// uncompressed. Package foreign packs and unpacks.
type Packed []byte

// HostFailure says why a host failed or returned nothing.
type HostFailure struct {
	// "account/region/node", or "account/region" where a whole region cannot be asked
	Host  string `json:"host"`
	Cause string `json:"cause"` // a stable slug: offline, not-installed, no-engine, denied, …
	// Message says what happened, Hint the remedy.
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// FleetRun is one verb on a fleet, with all that is needed to continue after the controller was
// killed.
type FleetRun struct {
	ID   string   `json:"id"` // 12 hexadecimal digits
	Verb string   `json:"verb"`
	Args []string `json:"args"` // what the hosts receive
	// the run whose plans are applied, or whose changes are backed out
	Of      string     `json:"of,omitempty"`
	State   RunState   `json:"state"`             // its progress
	Because string     `json:"because"`           // why it stopped
	Targets []string   `json:"targets"`           // as the operator gave them
	Places  []string   `json:"places"`            // "account/region"
	Started string     `json:"started"`           // RFC 3339, UTC
	Ended   string     `json:"ended"`             // empty while it goes on
	Waves   []Wave     `json:"waves"`             // only one for verbs that change nothing
	Rules   FleetRules `json:"rules"`             // between waves
	Hosts   int        `json:"hosts"`             // how many in all
	Backout string     `json:"backout,omitempty"` // the run that backed this one out
	// Request is what the name of each host's request is derived from: see RequestOf. Empty for a
	// run that an older version began: its hosts all have the same request name.
	Request string `json:"request,omitempty"`
	// Reach says how to reach its hosts; nil for a run that an older version began.
	Reach *FleetReach `json:"reach,omitempty"`
}

// FleetReach says how to reach the hosts of a run, and how long to wait for them.
type FleetReach struct {
	Profile string   `json:"profile"` // of AWS; empty: the environment's
	Roles   []string `json:"roles"`   // ARNs, one for each further account
	// AWS-RunShellScript instead of dropcap's own documents
	Shell            bool    `json:"shell"`
	Bucket           string  `json:"bucket"` // for complete outputs; empty: they come in parts
	Prefix           string  `json:"prefix"` // of keys there
	Rate             float64 `json:"rate"`   // requests per second to each API of a place
	DeliverySeconds  int     `json:"delivery_seconds"`
	ExecutionSeconds int     `json:"execution_seconds"`
	PatienceSeconds  int     `json:"patience_seconds"`
	AnswerSeconds    int     `json:"answer_seconds,omitempty"` // for a node that is only asked
}

// Wave is a group of a run's hosts that act before the gate is evaluated.
type Wave struct {
	Hosts []string  `json:"hosts"`
	State WaveState `json:"state"`
	// RFC 3339, UTC: when its last host answered; the soak begins then
	Ended string `json:"ended"`
	Gate  string `json:"gate"` // why the gate failed; empty if it passed or was not evaluated
	// Before is the run that audited the hosts before the change, so that the gate can compare;
	// empty if there is none.
	Before string `json:"before,omitempty"`
}

// FleetRules say how a run advances from wave to wave.
type FleetRules struct {
	Waves          []string `json:"waves"` // "1", "10%", …, cumulative parts of all hosts
	MaxErrors      int      `json:"max_errors"`
	MaxConcurrency int      `json:"max_concurrency"` // hosts at once; 0: no limit
	SoakSeconds    int      `json:"soak_seconds"`
	Approve        bool     `json:"approve"`
	// "22:00-04:00" in the controller's time zone; empty: any time
	Window string `json:"window"`
	// a program on the controller that must succeed after each wave
	Probe       []string `json:"probe"`
	AutoBackout bool     `json:"auto_backout"`
	// Version is the version that every host must run before its wave begins; empty: any.
	Version string `json:"version"`
}

// RunState is the progress of a run.
type RunState string

// The states of a run. Stopped: a gate failed, an operator declined, or too many hosts failed;
// changes stay unless they were backed out.
const (
	RunGoing      RunState = "going"
	RunDone       RunState = "done"
	RunStopped    RunState = "stopped"
	RunBackingOut RunState = "backing-out"
	RunBackedOut  RunState = "backed-out"
)

// Over reports whether the run is in a final state.
func (s RunState) Over() bool { return s == RunDone || s == RunStopped || s == RunBackedOut }

// WaveState is the progress of a wave.
type WaveState string

// The states of a wave.
const (
	WaveWaiting WaveState = "waiting"
	WaveGoing   WaveState = "going"
	WaveSoaking WaveState = "soaking" // all hosts have answered; the gate has not passed yet
	WavePassed  WaveState = "passed"
	WaveFailed  WaveState = "failed"
)

// FleetHost is one host of a run. Unpack it (foreign.Unpacked) before writing it as JSON.
type FleetHost struct {
	Host    string `json:"host"` // "account/region/node"
	Name    string `json:"name"`
	Wave    int    `json:"wave"`    // from 0
	Request string `json:"request"` // the same each time it is sent
	// ids of the SSM commands that sent it or asked for its receipt, in order
	Commands []string `json:"commands"`
	Sent     int      `json:"sent"`            // how many times it was sent
	Extra    []string `json:"extra,omitempty"` // arguments for this host only
	// the newest complete receipt; null if none
	Receipt *Receipt `json:"receipt"`
	// the receipt's document, which is then not in Receipt
	Packed  Packed       `json:"-"`
	Failure *HostFailure `json:"failure"`
}

// Over reports whether the host has failed or its receipt is final.
func (h FleetHost) Over() bool {
	return h.Failure != nil || h.Receipt != nil && h.Receipt.State.Over()
}
