package wire

import (
	"encoding/json"

	"dropcap"
	"dropcap/internal/foreign"
)

// Report describes a verb's document. The zero value is for a verb without one.
type Report struct {
	Schema string
	// Judged says that the document has its own status, from what was found or done.
	Judged bool
	status func(dropcap.HostDocument) (int, error)
}

var (
	auditReport    = judged(dropcap.SchemaAudit, foreign.Audit, dropcap.Audit.Status)
	planReport     = judged(dropcap.SchemaPlan, foreign.Plan, dropcap.Plan.Status)
	applyReport    = judged(dropcap.SchemaChange, foreign.Changes, appliedStatus)
	backoutReport  = judged(dropcap.SchemaChange, foreign.Changes, backedOutStatus)
	historyReport  = listing(dropcap.SchemaChange, foreign.Changes)
	evidenceReport = listing(dropcap.SchemaEvidence, foreign.Evidence)
)

// listing returns a report without a status of its own.
func listing[T any](schema string, read func(dropcap.HostDocument) (T, error)) Report {
	r := judged(schema, read, func(T) int { return dropcap.ExitOK })
	r.Judged = false
	return r
}

func judged[T any](schema string, read func(dropcap.HostDocument) (T, error),
	status func(T) int) Report {
	return Report{Schema: schema, Judged: true, status: func(d dropcap.HostDocument) (int, error) {
		v, err := read(d)
		return status(v), err
	}}
}

// Read returns an error if a document is not of the verb's report. A verb without a report accepts
// any JSON.
func (r Report) Read(d dropcap.HostDocument) error {
	if r.status == nil {
		var any json.RawMessage
		return json.Unmarshal(d.Document, &any)
	}
	_, err := r.status(d)
	return err
}

// Status returns the exit status of one host's document. An unreadable one is incomplete.
func (r Report) Status(d dropcap.HostDocument) int {
	if r.status == nil {
		return dropcap.ExitOK
	}
	status, err := r.status(d)
	if err != nil {
		return dropcap.ExitIncomplete
	}
	return status
}

// appliedStatus returns the status of changes that were just made.
func appliedStatus(c dropcap.Changes) int {
	return worstOf(c, func(s dropcap.ChangeState) int {
		if s == dropcap.BackedOut {
			return dropcap.ExitRolledBack
		}
		return dropcap.ExitOK
	})
}

// backedOutStatus returns the status of changes that were just backed out.
func backedOutStatus(c dropcap.Changes) int {
	return worstOf(c, func(s dropcap.ChangeState) int {
		if s == dropcap.Applied {
			return dropcap.ExitIncomplete
		}
		return dropcap.ExitOK
	})
}

func worstOf(c dropcap.Changes, of func(dropcap.ChangeState) int) int {
	status := dropcap.ExitOK
	for _, x := range c.Changes {
		one := of(x.State)
		switch {
		case x.State == dropcap.NeedsPerson:
			one = dropcap.ExitPerson
		case x.State == dropcap.RolledBack:
			one = dropcap.ExitRolledBack
		case !x.State.Over():
			one = dropcap.ExitIncomplete
		}
		status = dropcap.Worst(status, one)
	}
	return status
}
