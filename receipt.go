package dropcap

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// SchemaReceipt is the schema of Receipt.
const SchemaReceipt = "dropcap.receipt/v1"

// Receipt is what a host did for one request of a fleet. It is kept on the host, and is the truth
// about the request whatever became of the command that carried it.
type Receipt struct {
	Schema string `json:"schema"`
	// 32 hexadecimal digits, chosen before it was sent: a host does a request once
	Request string `json:"request"`
	// id of the SSM command that brought it first; empty if none did
	Command  string       `json:"command"`
	Verb     string       `json:"verb"`
	Args     []string     `json:"args"`
	Host     ReceiptHost  `json:"host"`
	State    ReceiptState `json:"state"`
	Started  string       `json:"started"` // RFC 3339, UTC; empty if absent
	Ended    string       `json:"ended"`   // empty while it goes on
	Status   int          `json:"status"`  // exit status, once done
	Error    *Failing     `json:"error"`   // null if it ended without one
	Summary  string       `json:"summary"` // one line
	Messages []string     `json:"messages"`
	// Warnings are what the host warned of, each in one line; nil of a host that keeps them among
	// its messages.
	Warnings []string `json:"warnings,omitzero"`
	// Document is the result in the verb's own schema; null if there is none.
	Document json.RawMessage `json:"document"`
	// Recovery says that no process is at work on the request, which is running, any more: what it
	// began to change is unfinished until the host does "recover".
	Recovery bool `json:"recovery,omitempty"`
	// Plan is the one that a request to apply applied: its id, ":", and the SHA-256 of its
	// document.
	Plan string `json:"plan,omitempty"`
}

// RequestOf is the name of a node's own request, which only that node has, where one word names the
// requests of many nodes of a run.
func RequestOf(word, node string) string {
	sum := sha256.Sum256([]byte("dropcap request\n" + word + "\n" + node))
	return hex.EncodeToString(sum[:16])
}

// ReceiptHost is who answers.
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

// ReceiptState is how far a host has come with a request.
type ReceiptState string

// The states. Absent: the host has never heard of the request, so nothing was done for it.
// Interrupted: the process or the host ended amid it; what it left unfinished was ended by a
// recovery, and the document tells in which state the changes are.
const (
	ReceiptAbsent      ReceiptState = "absent"
	ReceiptRunning     ReceiptState = "running"
	ReceiptDone        ReceiptState = "done"
	ReceiptInterrupted ReceiptState = "interrupted"
)

// Over tells whether nothing goes on for the request any more.
func (s ReceiptState) Over() bool { return s == ReceiptDone || s == ReceiptInterrupted }
