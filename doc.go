// Package dropcap holds the nouns: hosts, containers, findings, policies and the versioned
// documents that carry them between verbs. Pure values and methods on them: nothing here opens a
// file, a socket or a process.
package dropcap

// The documents' schemas. Fields may be added to a version; renaming or dropping one needs a new
// version.
const (
	SchemaSnapshot = "dropcap.snapshot/v1"
	SchemaAudit    = "dropcap.audit/v1"
	SchemaDoctor   = "dropcap.doctor/v1"
)
