// Package dropcap defines the nouns: hosts, containers, findings, policies and the versioned
// documents that verbs exchange. It has only pure values and their methods: nothing here opens a
// file, a socket or a process.
package dropcap

// The schemas of the documents. A version may gain fields; renaming or removing one needs a new
// version.
const (
	SchemaSnapshot = "dropcap.snapshot/v1"
	SchemaAudit    = "dropcap.audit/v1"
	SchemaDoctor   = "dropcap.doctor/v1"
)
