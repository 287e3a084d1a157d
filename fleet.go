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
	// hosts from which there is no document, or only one about an error
	Failures []HostFailure `json:"failures"`
}

// HostDocument is one host's document, in its own schema, exactly as the host wrote it; that of a
// run of apply which was taken back has each change as it is since.
type HostDocument struct {
	Host     string          `json:"host"`     // "account/region/node"
	Name     string          `json:"name"`     // the computer's own name: not trusted
	Document json.RawMessage `json:"document"` // nil where it is packed
	Packed   Packed          `json:"-"`
}

// Node is the host's id as a managed node: the last part of "account/region/node".
func (d HostDocument) Node() string { return NodeOf(d.Host) }

// NodeOf is the last part of "account/region/node".
func NodeOf(host string) string { return host[strings.LastIndexByte(host, '/')+1:] }

// PlaceOf is "account/region/node" without its last part.
func PlaceOf(host string) string { return host[:max(0, strings.LastIndexByte(host, '/'))] }

// Packed is a JSON document, compressed: those of ten thousand hosts would not fit into memory as
// they are. Package foreign packs and unpacks.
type Packed []byte

// HostFailure is why there is nothing from a host, or why it failed.
type HostFailure struct {
	// "account/region/node", or "account/region" where a whole region cannot be asked
	Host  string `json:"host"`
	Cause string `json:"cause"` // a stable slug: offline, not-installed, no-engine, denied, …
	// Message says what happened, Hint the remedy.
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// FleetRun is one verb on a fleet, from its beginning to its end: enough to go on with it after the
// controller was killed.
type FleetRun struct {
	ID   string   `json:"id"` // 12 hexadecimal digits
	Verb string   `json:"verb"`
	Args []string `json:"args"` // what the hosts are told
	// the run whose plans are applied, or whose changes are backed out
	Of      string     `json:"of,omitempty"`
	State   RunState   `json:"state"`             // where it stands
	Because string     `json:"because"`           // why it stopped
	Targets []string   `json:"targets"`           // as they were asked for
	Places  []string   `json:"places"`            // "account/region"
	Started string     `json:"started"`           // RFC 3339, UTC
	Ended   string     `json:"ended"`             // empty while it goes on
	Waves   []Wave     `json:"waves"`             // one for verbs that change nothing
	Rules   FleetRules `json:"rules"`             // between waves
	Hosts   int        `json:"hosts"`             // how many in all
	Backout string     `json:"backout,omitempty"` // the run that backed this one out
	// Request is what each host makes the name of its own request of: see RequestOf. Empty of a run
	// that an older version began, whose hosts all have a request of one name.
	Request string `json:"request,omitempty"`
	// Reach is how its hosts are reached; nil of a run that an older version began.
	Reach *FleetReach `json:"reach,omitempty"`
}

// FleetReach is what a run was told of how its hosts are reached, and for how long they are waited
// for.
type FleetReach struct {
	Profile string   `json:"profile"` // of AWS; empty: the environment's
	Roles   []string `json:"roles"`   // ARNs, one for each further account
	// AWS-RunShellScript instead of dropcap's own documents
	Shell            bool    `json:"shell"`
	Bucket           string  `json:"bucket"` // of whole outputs; empty: they come in parts
	Prefix           string  `json:"prefix"` // of keys there
	Rate             float64 `json:"rate"`   // requests a second to each API of a place
	DeliverySeconds  int     `json:"delivery_seconds"`
	ExecutionSeconds int     `json:"execution_seconds"`
	PatienceSeconds  int     `json:"patience_seconds"`
	AnswerSeconds    int     `json:"answer_seconds,omitempty"` // of a node that is only looked at
}

// Wave is a part of the hosts of a run, which are asked before the gate is looked at.
type Wave struct {
	Hosts []string  `json:"hosts"`
	State WaveState `json:"state"`
	// RFC 3339, UTC: when its last host answered; the soak begins then
	Ended string `json:"ended"`
	Gate  string `json:"gate"` // what the gate said; empty if it was not looked at or let pass
	// Before is the run that audited its hosts before they were changed, for the gate to compare
	// with; empty if none did.
	Before string `json:"before,omitempty"`
}

// FleetRules say how a run goes on from wave to wave.
type FleetRules struct {
	Waves          []string `json:"waves"` // "1", "10%", …, each of all hosts, cumulated
	MaxErrors      int      `json:"max_errors"`
	MaxConcurrency int      `json:"max_concurrency"` // hosts at once; 0: no limit of ours
	SoakSeconds    int      `json:"soak_seconds"`
	Approve        bool     `json:"approve"`
	// "22:00-04:00" in the controller's time zone; empty: any time
	Window string `json:"window"`
	// a program of the controller that must succeed after each wave
	Probe       []string `json:"probe"`
	AutoBackout bool     `json:"auto_backout"`
	// Version is what every host must run before its wave begins; empty: any.
	Version string `json:"version"`
}

// RunState is where a run stands.
type RunState string

// The states of a run. Stopped: a gate failed, an operator said no, or too many hosts failed; what
// was changed stays, unless it was backed out.
const (
	RunGoing      RunState = "going"
	RunDone       RunState = "done"
	RunStopped    RunState = "stopped"
	RunBackingOut RunState = "backing-out"
	RunBackedOut  RunState = "backed-out"
)

// Over tells whether nothing goes on any more.
func (s RunState) Over() bool { return s == RunDone || s == RunStopped || s == RunBackedOut }

// WaveState is where a wave stands.
type WaveState string

// The states of a wave.
const (
	WaveWaiting WaveState = "waiting"
	WaveGoing   WaveState = "going"
	WaveSoaking WaveState = "soaking" // all hosts have answered; the gate is not through
	WavePassed  WaveState = "passed"
	WaveFailed  WaveState = "failed"
)

// FleetHost is one host of a run. Whoever writes it as JSON unpacks it first (foreign.Unpacked).
type FleetHost struct {
	Host    string `json:"host"` // "account/region/node"
	Name    string `json:"name"`
	Wave    int    `json:"wave"`    // from 0
	Request string `json:"request"` // the same however often it is sent
	// ids of the SSM commands that carried it or asked for its receipt, in order
	Commands []string `json:"commands"`
	Sent     int      `json:"sent"`            // how often it was sent
	Extra    []string `json:"extra,omitempty"` // arguments for this host alone
	// the newest that is known to be whole; null if none
	Receipt *Receipt `json:"receipt"`
	// the receipt's document, which is not in Receipt then
	Packed  Packed       `json:"-"`
	Failure *HostFailure `json:"failure"`
}

// Over tells whether nothing more is to be learned of the host.
func (h FleetHost) Over() bool {
	return h.Failure != nil || h.Receipt != nil && h.Receipt.State.Over()
}
