package wire

import (
	"context"
	"time"

	"dropcap"
)

// The SSM documents. Permission to send them decides what an operator may do: with the first only,
// nobody can change a container.
const (
	LookDocument   = "dropcap-look"
	ChangeDocument = "dropcap-change"
)

// Verb is a request type. Its row in the table defines it completely.
type Verb struct {
	Name    string
	Meaning string
	// Documents that allow it; it is sent with the first.
	Documents []string
	Needs     []*Argument // required
	Takes     []*Argument // optional
	// Do does it once, in its own process that outlives the requesting one; nil: it is answered at
	// once, and nothing is recorded.
	Do func(Doer, context.Context, Args) (Result, error)
	// Changes says that it changes containers: its waves have gates, and if its process dies, only
	// a verb that may change something ends it.
	Changes bool
	// Entire says that a host that did only a part has failed.
	Entire bool
	Report Report
	// Asks says that it is about another request; Recovers, that it may end that request if its
	// process died.
	Asks, Recovers bool
	Wait           time.Duration // how long to wait for the end by default
}

// Doer does the recorded verbs. A result may come with an error: both are reported.
type Doer interface {
	Audit(context.Context, Args) (Result, error)
	Plan(context.Context, Args) (Result, error)
	Apply(context.Context, Args) (Result, error)
	Backout(context.Context, Args) (Result, error)
	Learn(context.Context, Args) (Result, error)
	Evidence(context.Context, Args) (Result, error)
	Receive(context.Context, Args) (Result, error)
	History(context.Context, Args) (Result, error)
}

// Result is the result of a request.
type Result struct {
	Document any    // in the schema of the verb's report; nil if there is none
	Status   int    // exit status
	Summary  string // one line
	Plan     Plan   // the plan that was applied
}

// defaultWait is less than any timeout of the agent.
const defaultWait = 50 * time.Second

var (
	byLook   = []string{LookDocument}
	byChange = []string{ChangeDocument}
)

// Verbs are all verbs. A new one is a row here, a method of Doer, and a word in its SSM document.
var Verbs = []Verb{
	{
		Name: "hello", Meaning: "who is here: no request is recorded",
		Documents: byLook, Wait: defaultWait,
	},
	{
		Name:      "audit",
		Documents: byLook, Takes: []*Argument{levelArg, Container},
		Do: Doer.Audit, Report: auditReport, Wait: defaultWait,
	},
	{
		Name:      "plan",
		Documents: byLook, Takes: []*Argument{levelArg, Container, acceptArg, strategyArg},
		Do: Doer.Plan, Report: planReport, Wait: defaultWait,
	},
	{
		Name: "apply", Meaning: "the one of these plans that this host has made and kept",
		Documents: byChange, Takes: []*Argument{soakArg, timeArg, allArg},
		Needs: []*Argument{plansArg},
		Do:    Doer.Apply, Changes: true, Report: applyReport, Wait: defaultWait,
	},
	{
		Name: "backout", Meaning: "what these requests to apply have changed",
		Documents: byChange, Needs: []*Argument{ofSome},
		Do: Doer.Backout, Changes: true, Entire: true, Report: backoutReport, Wait: defaultWait,
	},
	{
		Name:      "learn",
		Documents: byChange, Needs: []*Argument{forArg},
		Do: Doer.Learn, Report: evidenceReport, Wait: defaultWait,
	},
	{
		Name:      "evidence",
		Documents: byLook, Takes: []*Argument{Workload},
		Do: Doer.Evidence, Report: evidenceReport, Wait: defaultWait,
	},
	{
		Name: "receive", Meaning: "a part of evidence; when all have come they are imported",
		Documents: byChange, Needs: []*Argument{partArg, sumArg, dataArg},
		Do: Doer.Receive, Wait: defaultWait,
	},
	{
		Name:      "history",
		Documents: byLook,
		Do:        Doer.History, Report: historyReport, Wait: defaultWait,
	},
	{
		Name: "receipt", Meaning: "what a request came to; no container is changed",
		Documents: []string{LookDocument, ChangeDocument}, Needs: []*Argument{ofOne}, Asks: true,
	},
	{
		Name: "recover", Meaning: "the same, and ends a change whose process died",
		Documents: byChange, Needs: []*Argument{ofOne}, Asks: true, Recovers: true,
		Wait: defaultWait,
	},
}

// Lookup returns a verb by its name. An unknown one can do nothing.
func Lookup(name string) (Verb, bool) {
	for _, v := range Verbs {
		if v.Name == name {
			return v, true
		}
	}
	return Verb{Name: name}, false
}

// Changes reports whether a verb changes containers.
func Changes(verb string) bool {
	v, _ := Lookup(verb)
	return v.Changes
}

// SchemaOf returns the schema of hosts' answers to a verb; empty if it has none.
func SchemaOf(verb string) string {
	v, _ := Lookup(verb)
	return v.Report.Schema
}

// Done reports whether an exit status of the verb says that the host did its part, including one
// that had nothing to do, or refused only what its plan refuses, too.
func (v Verb) Done(status int) bool {
	switch status {
	case dropcap.ExitOK:
		return true
	case dropcap.ExitFindings, dropcap.ExitIncomplete:
		return !v.Entire
	}
	return false
}

// arguments returns all arguments specific to the verb.
func (v Verb) arguments() []*Argument {
	return append(append([]*Argument{}, v.Takes...), v.Needs...)
}
