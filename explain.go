package dropcap

import "dropcap/caps"

// SchemaExplanation is the schema of an Explanation.
const SchemaExplanation = "dropcap.explain/v1"

// Explanation tells of one container why it holds each capability that it holds.
type Explanation struct {
	Schema    string    `json:"schema"`
	Created   string    `json:"created"` // RFC 3339, UTC
	Host      Host      `json:"host"`
	Policy    PolicyRef `json:"policy"`
	Container Judged    `json:"container"`
	Holds     []Held    `json:"holds"`
	// GaveUp are those that the configuration grants and its processes gave up: it gets them back.
	GaveUp []Held `json:"gave_up,omitempty"`
}

// Held is one capability in a container's hands.
type Held struct {
	Cap      caps.Cap      `json:"cap"`
	Severity caps.Severity `json:"severity"`
	// Effective tells whether some process has it in effect now; otherwise it can be regained by a
	// setuid file, by file capabilities or by `docker exec -u 0`. False if no process was seen.
	Effective bool   `json:"effective"`
	Because   string `json:"because"`
	Kept      string `json:"kept,omitempty"`     // the policy's reason for keeping it
	Evidence  string `json:"evidence,omitempty"` // what was seen of it; empty without evidence
}
