package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"dropcap"
)

// MaxDocument is the maximum size of a host's document in bytes.
const MaxDocument = 64 << 20

// CauseUnreadable is the cause of a failure if a host's document cannot be read.
const CauseUnreadable = "unreadable"

// Audit reads a host's audit. The result names the host as it was addressed: ID is
// "account/region/node" and Name the node. Invalid verdicts become unknown, and the summary is
// computed again.
func Audit(d dropcap.HostDocument) (dropcap.Audit, error) {
	a, err := read[dropcap.Audit](d, dropcap.SchemaAudit)
	if err != nil {
		return dropcap.Audit{}, err
	}
	a.Host.ID, a.Host.Name = d.Host, d.Node()
	for i := range a.Containers {
		a.Containers[i].Verdict = honest(a.Containers[i])
	}
	a.Summary = dropcap.Count(a.Containers)
	return a, nil
}

// honest returns the verdict that a container's own findings allow: one that passes was observed
// and has no finding that counts, and one is mitigated if all that count are.
func honest(c dropcap.Judged) dropcap.Verdict {
	switch c.Verdict {
	case dropcap.Pass, dropcap.Waived, dropcap.Mitigated:
		unseen := (c.State == "" || c.Running()) && !c.Kernel.Visible
		if c.Holds() == nil || c.Predicted == nil || unseen {
			return dropcap.Unknown
		}
	case dropcap.Fail:
		return dropcap.Fail
	default:
		return dropcap.Unknown
	}
	for _, f := range c.Findings {
		switch {
		case f.Counts() && (c.Verdict != dropcap.Mitigated || !f.Mitigated()):
			return dropcap.Fail
		case f.Rule == dropcap.RuleUnseen:
			return dropcap.Unknown
		}
	}
	return c.Verdict
}

// Plan reads a host's plan, and names the host as Audit does.
func Plan(d dropcap.HostDocument) (dropcap.Plan, error) {
	p, err := read[dropcap.Plan](d, dropcap.SchemaPlan)
	p.Host.ID, p.Host.Name = d.Host, d.Node()
	return p, err
}

// Changes reads a host's changes; the host of each is "account/region/node".
func Changes(d dropcap.HostDocument) (dropcap.Changes, error) {
	c, err := read[dropcap.Changes](d, dropcap.SchemaChange)
	for i := range c.Changes {
		c.Changes[i].Host = d.Host
	}
	return c, err
}

// Evidence reads a host's evidence and trusts it: to use it, import it (internal/evidence).
func Evidence(d dropcap.HostDocument) (dropcap.Evidence, error) {
	return read[dropcap.Evidence](d, dropcap.SchemaEvidence)
}

func read[T any](d dropcap.HostDocument, schema string) (T, error) {
	var v, none T
	d.Document, d.Packed = Raw(d), nil
	if err := Check(d, schema); err != nil {
		return none, err
	}
	if err := Decode(d.Document, &v); err != nil {
		return none, misread(err)
	}
	return v, nil
}

// Check returns an error if the document is too long, or no JSON of the schema.
func Check(d dropcap.HostDocument, schema string) error {
	d.Document = Raw(d)
	if len(d.Document) > MaxDocument {
		return fmt.Errorf("its document has %d bytes, and %d are the most",
			len(d.Document), MaxDocument)
	}
	if text := bytes.TrimSpace(d.Document); len(text) == 0 || string(text) == "null" {
		return fmt.Errorf("it sent no document")
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(d.Document, &head); err != nil {
		return misread(err)
	}
	if head.Schema != schema {
		return fmt.Errorf("its document has the schema %q, not %q", brief(head.Schema), schema)
	}
	return nil
}

// misread describes a decoding error in terms of JSON, not Go.
func misread(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return fmt.Errorf("its document cannot be read: %s", brief(err.Error()))
	}
	at := "the top"
	if wrong.Field != "" {
		at = brief(wrong.Field)
	}
	return fmt.Errorf("its document cannot be read: at %s stands %s, which does not belong there",
		at, brief(wrong.Value))
}

// brief shortens untrusted text to be quoted.
func brief(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// Unreadable returns the failure of a host whose document cannot be read.
func Unreadable(host string, err error) dropcap.HostFailure {
	return dropcap.HostFailure{
		Host: host, Cause: CauseUnreadable, Message: err.Error(),
		Hint: "see that the host runs the same version of dropcap, and ask it again;" +
			" if it goes on, do not trust the host",
	}
}

// Reading is a document that was read, or the error.
type Reading[T any] struct {
	Document T
	Failure  *dropcap.HostFailure
}

// Read iterates over the documents of a fleet, read with one of this package's readers, such as
// Audit.
func Read[T any](
	f dropcap.Fleet, by func(dropcap.HostDocument) (T, error),
) iter.Seq2[dropcap.HostDocument, Reading[T]] {
	return func(yield func(dropcap.HostDocument, Reading[T]) bool) {
		for _, d := range f.Documents {
			r := Reading[T]{}
			v, err := by(d)
			if err != nil {
				fail := Unreadable(d.Host, err)
				r.Failure = &fail
			} else {
				r.Document = v
			}
			if !yield(d, r) {
				return
			}
		}
	}
}

// Audits iterates over the readable audits of a fleet.
func Audits(f dropcap.Fleet) iter.Seq2[dropcap.HostDocument, dropcap.Audit] {
	return readable(f, Audit)
}

// Plans iterates over the readable plans of a fleet.
func Plans(f dropcap.Fleet) iter.Seq2[dropcap.HostDocument, dropcap.Plan] {
	return readable(f, Plan)
}

func readable[T any](
	f dropcap.Fleet, by func(dropcap.HostDocument) (T, error),
) iter.Seq2[dropcap.HostDocument, T] {
	return func(yield func(dropcap.HostDocument, T) bool) {
		for d, r := range Read(f, by) {
			if r.Failure == nil && !yield(d, r.Document) {
				return
			}
		}
	}
}

// Failed returns the failures of a fleet, including hosts whose documents cannot be read, each host
// once.
func Failed[T any](
	f dropcap.Fleet, by func(dropcap.HostDocument) (T, error),
) []dropcap.HostFailure {
	list := append([]dropcap.HostFailure{}, f.Failures...)
	named := map[string]bool{}
	for _, x := range list {
		named[x.Host] = true
	}
	for d, r := range Read(f, by) {
		if r.Failure != nil && !named[d.Host] {
			list = append(list, *r.Failure)
		}
	}
	return list
}
