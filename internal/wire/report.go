package wire

import (
	"encoding/json"

	"dropcap"
	"dropcap/internal/foreign"
)

// Report is what a verb's document is. The zero value is that of a verb that has none.
type Report struct {
	Schema string
	// Judged says that the document has a status of its own, of what was found or done.
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

// listing is a report of which it only counts that it can be read.
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

// Read reports why a document is not what the verb answers with. A verb without a report answers
// with any JSON.
func (r Report) Read(d dropcap.HostDocument) error {
	if r.status == nil {
		var any json.RawMessage
		return json.Unmarshal(d.Document, &any)
	}
	_, err := r.status(d)
	return err
}

// Status is the exit status that one host's document stands for. One that cannot be read is
// incomplete.
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

// appliedStatus is for changes that were just made.
func appliedStatus(c dropcap.Changes) int {
	return worstOf(c, func(s dropcap.ChangeState) int {
		if s == dropcap.BackedOut {
			return dropcap.ExitRolledBack
		}
		return dropcap.ExitOK
	})
}

// backedOutStatus is for changes that were just taken back.
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
