package dropcap

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// SchemaReceipt is the schema of Receipt.
const SchemaReceipt = "dropcap.receipt/v1"

// Receipt is what a host did for one request of a fleet. The host stores it. It is authoritative,
// whatever happened to the command that brought the request.
type Receipt struct {
	Schema string `json:"schema"`
	// 32 hexadecimal digits, chosen before it is sent: a host does a request once
	Request string `json:"request"`
	// id of the SSM command that brought it first; empty if none did
	Command  string       `json:"command"`
	Verb     string       `json:"verb"`
	Args     []string     `json:"args"`
	Host     ReceiptHost  `json:"host"`
	State    ReceiptState `json:"state"`
	Started  string       `json:"started"` // RFC 3339, UTC; empty if absent
	Ended    string       `json:"ended"`   // empty while it runs
	Status   int          `json:"status"`  // exit status, once done
	Error    *Failing     `json:"error"`   // null if it ended without one
	Summary  string       `json:"summary"` // one line
	Messages []string     `json:"messages"`
	// Warnings are the host's warnings, one line each; nil from a host that has them in its
	// messages.
	Warnings []string `json:"warnings,omitzero"`
	// Document is the result in the verb's own schema; null if there is none.
	Document json.RawMessage `json:"document"`
	// Recovery says that the process of this running request is gone: its changes are unfinished
	// until the host does "recover".
	Recovery bool `json:"recovery,omitempty"`
	// Plan is the plan that the request applied: its id, ":", and the SHA-256 of its document.
	Plan string `json:"plan,omitempty"`
}

// RequestOf returns the name of one node's request, derived from the word that a run's requests
// share.
func RequestOf(word, node string) string {
	sum := sha256.Sum256([]byte("dropcap request\n" + word + "\n" + node))
	return hex.EncodeToString(sum[:16])
}

// ReceiptHost is the host that answers.
type ReceiptHost struct {
	ID      string `json:"id"`   // the machine-id, as Host.ID
	Node    string `json:"node"` // its id as a managed node (AWS_SSM_INSTANCE_ID); empty if unknown
	Name    string `json:"name"`
	Dropcap string `json:"dropcap"` // version
	Docker  string `json:"docker"`  // the engine's version; empty if none answers
	Kernel  string `json:"kernel"`
}

// Failing is an error in a document.
type Failing struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// ReceiptState is a host's progress with a request.
type ReceiptState string

// The states. Absent: the host does not know the request, so it has done nothing for it.
// Interrupted: the process or the host ended during it; a recovery has finished what was left, and
// the document has the state of the changes.
const (
	ReceiptAbsent      ReceiptState = "absent"
	ReceiptRunning     ReceiptState = "running"
	ReceiptDone        ReceiptState = "done"
	ReceiptInterrupted ReceiptState = "interrupted"
)

// Over reports whether the request is in a final state.
func (s ReceiptState) Over() bool { return s == ReceiptDone || s == ReceiptInterrupted }
