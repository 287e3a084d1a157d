package dropcap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
)

// MostDocument is how many bytes a host's document may have.
const MostDocument = 64 << 20

// CauseUnreadable is the cause of a failure where a host's document is no document.
const CauseUnreadable = "unreadable"

// Node is the host's id as a managed node: the last part of "account/region/node".
func (d HostDocument) Node() string { return NodeOf(d.Host) }

// NodeOf is the last part of "account/region/node".
func NodeOf(host string) string { return host[strings.LastIndexByte(host, '/')+1:] }

// PlaceOf is "account/region/node" without its last part.
func PlaceOf(host string) string { return host[:max(0, strings.LastIndexByte(host, '/'))] }

// Audit reads the document. Whatever it calls its host, it is under the name by which it was asked that it is known: ID is
// "account/region/node" and Name the node. Verdicts that do not exist are unknown, and the summary is counted anew.
func (d HostDocument) Audit() (Audit, error) {
	a, err := readHost[Audit](d, SchemaAudit)
	if err != nil {
		return Audit{}, err
	}
	a.Host.ID, a.Host.Name = d.Host, d.Node()
	for i := range a.Containers {
		a.Containers[i].Verdict = honest(a.Containers[i])
	}
	a.Summary = Count(a.Containers)
	return a, nil
}

// honest is the verdict that a container's own findings allow: one that passes has none that counts, and was seen.
func honest(c Judged) Verdict {
	switch c.Verdict {
	case Pass, Waived:
		if c.Holds() == nil || c.Predicted == nil || (c.State == "" || c.Running()) && !c.Kernel.Visible {
			return Unknown
		}
	case Fail:
		return Fail
	default:
		return Unknown
	}
	for _, f := range c.Findings {
		switch {
		case f.Counts():
			return Fail
		case f.Rule == RuleUnseen:
			return Unknown
		}
	}
	return c.Verdict
}

// Plan reads the document; its host is named as in Audit.
func (d HostDocument) Plan() (Plan, error) {
	p, err := readHost[Plan](d, SchemaPlan)
	p.Host.ID, p.Host.Name = d.Host, d.Node()
	return p, err
}

// Changes reads the document; each change's host is "account/region/node".
func (d HostDocument) Changes() (Changes, error) {
	c, err := readHost[Changes](d, SchemaChange)
	for i := range c.Changes {
		c.Changes[i].Host = d.Host
	}
	return c, err
}

// Evidence reads the document, and believes it: whoever works with it imports it instead (internal/evidence).
func (d HostDocument) Evidence() (Evidence, error) {
	return readHost[Evidence](d, SchemaEvidence)
}

func readHost[T any](d HostDocument, schema string) (T, error) {
	var v, none T
	d.Document, d.Packed = d.Raw(), nil
	if err := d.Check(schema); err != nil {
		return none, err
	}
	if err := Decode(d.Document, &v); err != nil {
		return none, misread(err)
	}
	return v, nil
}

// Check tells whether the document is JSON of a schema, and not too long.
func (d HostDocument) Check(schema string) error {
	d.Document = d.Raw()
	if len(d.Document) > MostDocument {
		return fmt.Errorf("its document has %d bytes, and %d are the most", len(d.Document), MostDocument)
	}
	if len(bytes.TrimSpace(d.Document)) == 0 || string(bytes.TrimSpace(d.Document)) == "null" {
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

// misread says what is wrong in the words of JSON, not of Go.
func misread(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return fmt.Errorf("its document cannot be read: %s", brief(err.Error()))
	}
	at := "the top"
	if wrong.Field != "" {
		at = brief(wrong.Field)
	}
	return fmt.Errorf("its document cannot be read: at %s stands %s, which does not belong there", at, brief(wrong.Value))
}

// brief keeps what quotes a stranger short.
func brief(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// SchemaOf is the schema of what hosts answer to a verb; empty for one that has none.
func SchemaOf(verb string) string {
	switch verb {
	case "audit":
		return SchemaAudit
	case "plan":
		return SchemaPlan
	case "apply", "backout", "history":
		return SchemaChange
	case "learn", "evidence":
		return SchemaEvidence
	}
	return ""
}

// Unreadable is the failure of a host whose document is none.
func Unreadable(host string, err error) HostFailure {
	return HostFailure{
		Host: host, Cause: CauseUnreadable, Message: err.Error(),
		Hint: "see that the host runs the same version of dropcap, and ask it again; if it goes on, do not trust the host",
	}
}

// Read walks through the documents, one at a time, by a method of HostDocument; those that it cannot read are failures.
func Read[T any](f Fleet, read func(HostDocument) (T, error)) iter.Seq2[HostDocument, Reading[T]] {
	return func(yield func(HostDocument, Reading[T]) bool) {
		for _, d := range f.Documents {
			r := Reading[T]{}
			v, err := read(d)
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

// Reading is a document that was read, or why it was not.
type Reading[T any] struct {
	Document T
	Failure  *HostFailure
}

// Audits walks through the audits of a fleet that can be read, one at a time.
func (f Fleet) Audits() iter.Seq2[HostDocument, Audit] {
	return func(yield func(HostDocument, Audit) bool) {
		for d, r := range Read(f, HostDocument.Audit) {
			if r.Failure == nil && !yield(d, r.Document) {
				return
			}
		}
	}
}

// Failed are the failures of a fleet with those whose documents cannot be read. Where a host is in both it is named once.
func Failed[T any](f Fleet, read func(HostDocument) (T, error)) []HostFailure {
	list := append([]HostFailure{}, f.Failures...)
	named := map[string]bool{}
	for _, x := range list {
		named[x.Host] = true
	}
	for d, r := range Read(f, read) {
		if r.Failure != nil && !named[d.Host] {
			list = append(list, *r.Failure)
		}
	}
	return list
}
