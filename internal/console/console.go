package console

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// Node is the host's part of a fleet: it does each request once.
type Node interface {
	Answer(context.Context, wire.Request) (dropcap.Receipt, error)
	// Applied names the requests to apply that the host has got, the newest first.
	Applied(context.Context) ([]string, error)
}

// Console does forms on one host.
type Console struct {
	Node    Node
	ID      string // of this host as a managed node; empty if it is none
	Command string // id of the SSM command that brought the form; empty if none did
}

// Page is what a person reads, the most important first. At most one document stands in it.
type Page struct {
	Verdict string   // the first line: a word in capitals, and a sentence
	Facts   []string // lines: which host, which run
	Next    []string // lines: why, and what to do next
	Notes   []string // lines: warnings of the host
	Audit   *dropcap.Audit
	Plan    *dropcap.Plan
	Changes *dropcap.Changes
	// Status is the exit status of the step: 0 where the form did what it should, whatever it
	// found.
	Status int
}

// margin is what is left of the step's time to print the page.
const margin = 5 * time.Second

// task is one form that is being done.
type task struct {
	*Console
	Request
	end time.Time
}

// Do does a form. An error is of the way to the node; what the host could not do stands in the
// page.
func (c *Console) Do(ctx context.Context, q Request) (Page, error) {
	if c.Command == "" {
		c.Command = byHand()
	}
	t := task{Console: c, Request: q, end: time.Now().Add(max(q.Wait-margin, q.Wait/2))}
	switch q.Verb {
	case "audit":
		return t.audit(ctx)
	case "plan":
		return t.plan(ctx)
	case "apply":
		return t.apply(ctx)
	case "backout":
		return t.backout(ctx)
	}
	return t.status(ctx)
}

// byHand returns an id in the form of a command's.
func byHand() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// of returns the run that the form is a part of.
func (t task) of() string {
	if t.Run == "" {
		return t.Command
	}
	return t.Run
}

// name returns the name of a run's request: the same however often the form is sent, so that the
// host does it once.
func (c *Console) name(run, part string) string {
	return dropcap.RequestOf("console "+part+" "+run, c.ID)
}

// ask has the node do a verb, or gets what it did when it was asked before.
func (t task) ask(ctx context.Context, verb, name string, args wire.Args) (dropcap.Receipt, error) {
	v, ok := wire.Lookup(verb)
	if !ok {
		return dropcap.Receipt{}, fmt.Errorf("cannot %s: there is no such verb", verb)
	}
	return t.Node.Answer(ctx, wire.Request{Verb: v, ID: name, Args: args,
		Wait: max(time.Until(t.end), 0)})
}

// receipt returns what a request came to; nil if the host has never got it.
func (t task) receipt(ctx context.Context, name string) (*dropcap.Receipt, error) {
	if t.Verb == "status" {
		t.end = time.Now() // how it stands, and no waiting
	}
	r, err := t.ask(ctx, "receipt", "", wire.Args{Of: []string{name}})
	if err != nil || r.State == dropcap.ReceiptAbsent {
		return nil, err
	}
	return &r, nil
}

// mostWarnings is how many warnings a page has.
const mostWarnings = 8

// pageOf begins the page of a receipt. It is finished, and done is false, if there is nothing more
// to tell: the request still runs, or failed without a document.
func (t task) pageOf(r dropcap.Receipt) (p Page, done bool) {
	p = Page{Status: r.Status, Facts: []string{t.host(r.Host), t.about()}}
	switch {
	case !r.State.Over() && r.Recovery:
		p.Verdict = "INTERRUPTED: dropcap ended amid the " + r.Verb + " on this host, and a " +
			"recovery is needed"
		p.Next = []string{"run this form again, or `dropcap recover` on the host: either ends " +
			"what was begun"}
		p.Status = dropcap.ExitIncomplete
		return p, false
	case !r.State.Over():
		p.Verdict = "STILL AT WORK: the " + r.Verb + " goes on after this command"
		run := t.of()
		if r.Verb == "backout" || r.Verb == "history" {
			run = t.Command // each is of its own command
		}
		p.Next = []string{"dropcap-status with run " + run + " tells what comes of it"}
		p.Status = dropcap.ExitIncomplete
		return p, false
	}
	if r.Error != nil {
		p.Verdict = headed(r)
		if r.Error.Hint != "" {
			p.Next = append(p.Next, "to do: "+r.Error.Hint)
		}
	}
	for i, w := range wire.Warnings(r) {
		if i == mostWarnings {
			p.Notes = append(p.Notes, "warning: and more; `dropcap history` on the host has them")
			break
		}
		p.Notes = append(p.Notes, "warning: "+printable.Cut(w, 300))
	}
	return p, len(r.Document) > 0
}

// headed returns the verdict of a request that ended with an error.
func headed(r dropcap.Receipt) string {
	head := "FAILED: "
	switch r.Status {
	case dropcap.ExitPerson:
		head = "A PERSON IS NEEDED: "
	case dropcap.ExitRolledBack:
		head = "ROLLED BACK: "
	case dropcap.ExitHost:
		head = "NOT HERE: "
	}
	return head + r.Error.Message
}

// host says which host a receipt is of.
func (t task) host(h dropcap.ReceiptHost) string {
	parts := []string{h.Name}
	for _, one := range []struct{ what, value string }{{"", h.Node}, {"Docker ", h.Docker},
		{"dropcap ", h.Dropcap}} {
		if one.value != "" {
			parts = append(parts, one.what+one.value)
		}
	}
	return "host: " + strings.Join(parts, ", ")
}

// about says which run a page is about.
func (t task) about() string {
	switch t.of() {
	case "last":
		return "of:   what was applied last on this host"
	case "all":
		return "of:   everything that forms and fleets applied on this host"
	}
	return "run:  " + t.of()
}

// scope says what was asked, for the page.
func (t task) scope() string {
	what := "all containers"
	if len(t.Containers) > 0 {
		what = strings.Join(t.Containers, ", ")
	}
	if t.Level != "" {
		what += ", at level " + string(t.Level)
	}
	return "of:   " + what
}
