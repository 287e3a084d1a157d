package dropcap

import "dropcap/caps"

// SchemaOccurrence is the schema of Occurrence.
const SchemaOccurrence = "dropcap.occurrence/v1"

// Occurrence is something about capabilities that happened on a host, told as it happens: one
// document, on one line.
type Occurrence struct {
	Schema   string         `json:"schema"`
	ID       string         `json:"id"` // 16 hexadecimal digits; repetitions of a message share it
	At       string         `json:"at"` // RFC 3339 with fractions of a second, UTC
	Kind     OccurrenceKind `json:"kind"`
	Severity caps.Severity  `json:"severity"` // empty where there is nothing to do
	Host     string         `json:"host"`     // id of the host
	HostName string         `json:"host_name,omitempty"`

	// the container that it is about; empty where it is about the whole host
	Container string `json:"container,omitempty"` // 64 hexadecimal digits
	Name      string `json:"name,omitempty"`
	Image     string `json:"image,omitempty"`
	Workload  string `json:"workload,omitempty"`

	Caps    caps.Set `json:"caps"`
	Verdict Verdict  `json:"verdict,omitempty"`
	// Beyond says what the container holds more than, of an OccurrenceExceeds.
	Beyond []Bound `json:"beyond,omitempty"`
	Rules  []Rule  `json:"rules,omitempty"` // of the findings that it is about
	// Exec is the id of the docker exec, of an OccurrenceExec; empty if only its processes were
	// seen.
	Exec string `json:"exec,omitempty"`
	// Change is the id of the change that was undone, or that the denial is after.
	Change string `json:"change,omitempty"`
	// By is the program and call that was denied, of an OccurrenceDenied.
	By *By `json:"by,omitempty"`
	// Expires is the first moment at which the waiver no longer applies, RFC 3339.
	Expires string `json:"expires,omitempty"`

	Because string `json:"because"` // in one sentence
	Fix     string `json:"fix,omitempty"`
	// Count is how many occurrences this one stands for, of an OccurrenceMore or OccurrenceLost.
	Count uint64 `json:"count,omitempty"`
}

// OccurrenceKind is what happened.
type OccurrenceKind string

// The kinds. Exceeds: a container started, or was found, that holds more than policy, evidence or
// its file allows. Exec: a docker exec holds more than its container is granted. Reverted: somebody
// undid a change of dropcap's. Waiver: a waiver expires soon, or has expired. Denied: the kernel
// denied a decisive check that would have been granted before a change. Unseen: a container that
// cannot be judged. EngineAway and EngineBack: the engine stopped and began to answer. More: so
// many others of one kind were not told one by one, since too much happened at once. Lost: so many
// were not told at all, since an output had no room for them.
const (
	OccurrenceExceeds    OccurrenceKind = "exceeds"
	OccurrenceExec       OccurrenceKind = "exec"
	OccurrenceReverted   OccurrenceKind = "reverted"
	OccurrenceWaiver     OccurrenceKind = "waiver"
	OccurrenceDenied     OccurrenceKind = "denied"
	OccurrenceUnseen     OccurrenceKind = "unseen"
	OccurrenceEngineAway OccurrenceKind = "engine-away"
	OccurrenceEngineBack OccurrenceKind = "engine-back"
	OccurrenceMore       OccurrenceKind = "more"
	OccurrenceLost       OccurrenceKind = "lost"
)

// OccurrenceKinds returns all kinds.
func OccurrenceKinds() []OccurrenceKind {
	return []OccurrenceKind{OccurrenceExceeds, OccurrenceExec, OccurrenceReverted,
		OccurrenceWaiver, OccurrenceDenied, OccurrenceUnseen, OccurrenceEngineAway,
		OccurrenceEngineBack, OccurrenceMore, OccurrenceLost}
}

// Bound is something that says what a container should hold at most.
type Bound string

// The bounds. File is the owner's file, such as a compose file; Granted is what the engine grants
// for the container's own configuration.
const (
	BoundPolicy   Bound = "policy"
	BoundEvidence Bound = "evidence"
	BoundFile     Bound = "file"
	BoundGranted  Bound = "granted"
)
