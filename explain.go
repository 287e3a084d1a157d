package dropcap

import "dropcap/caps"

// SchemaExplanation is the schema of an Explanation.
const SchemaExplanation = "dropcap.explain/v1"

// Explanation says why a container holds each of its capabilities.
type Explanation struct {
	Schema    string    `json:"schema"`
	Created   string    `json:"created"` // RFC 3339, UTC
	Host      Host      `json:"host"`
	Policy    PolicyRef `json:"policy"`
	Container Judged    `json:"container"`
	Holds     []Held    `json:"holds"`
	// GaveUp are capabilities that the configuration grants and the processes gave up; the
	// container can regain them.
	GaveUp []Held `json:"gave_up,omitempty"`
}

// Held is one capability that a container holds.
type Held struct {
	Cap      caps.Cap      `json:"cap"`
	Severity caps.Severity `json:"severity"`
	// Effective reports whether a process has it in its effective set now; otherwise it can be
	// regained through a setuid file, file capabilities or `docker exec -u 0`. False if no process
	// was observed.
	Effective bool   `json:"effective"`
	Because   string `json:"because"`
	Kept      string `json:"kept,omitempty"`     // the policy's reason for keeping it
	Evidence  string `json:"evidence,omitempty"` // what was observed of it; empty without evidence
}
