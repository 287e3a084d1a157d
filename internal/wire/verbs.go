package wire

import (
	"context"
	"time"

	"dropcap"
)

// The SSM documents. Which of them an operator may send decides what he may do: one who may send
// the first only cannot change a container.
const (
	LookDocument   = "dropcap-look"
	ChangeDocument = "dropcap-change"
)

// Verb is what a host may be asked. All that a verb is follows from its row in the table.
type Verb struct {
	Name    string
	Meaning string
	// Documents carry it; it is sent by the first.
	Documents []string
	Needs     []*Argument // that must be given
	Takes     []*Argument // that may be given
	// Do does it, in a process of its own that outlives whoever asked for it, once; nil: it is
	// answered at once, and nothing is recorded.
	Do func(Doer, context.Context, Args) (Result, error)
	// Changes says that it changes containers: its waves have gates, and one whose process died is
	// ended only by a verb that may change something.
	Changes bool
	// Entire says that a host which did a part only has failed.
	Entire bool
	Report Report
	// Asks says that it is about another request; Recovers, that it may end that one if its process
	// died.
	Asks, Recovers bool
	Wait           time.Duration // for the end, where the request does not say how long
}

// Doer does what is recorded. A result may come with an error: both are told.
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

// Result is what came of a request.
type Result struct {
	Document any    // in the schema of the verb's report; nil if there is none
	Status   int    // exit status
	Summary  string // one line
	Plan     Plan   // the one that was applied
}

// usualWait is less than any timeout of the agent's.
const usualWait = 50 * time.Second

var (
	byLook   = []string{LookDocument}
	byChange = []string{ChangeDocument}
)

// Verbs are all that there are. A new one is a row here, a method of Doer, and a word in the SSM
// document that carries it.
var Verbs = []Verb{
	{
		Name: "hello", Meaning: "who is here: no request is recorded",
		Documents: byLook, Wait: usualWait,
	},
	{
		Name:      "audit",
		Documents: byLook, Takes: []*Argument{levelArg, Container},
		Do: Doer.Audit, Report: auditReport, Wait: usualWait,
	},
	{
		Name:      "plan",
		Documents: byLook, Takes: []*Argument{levelArg, Container, acceptArg, strategyArg},
		Do: Doer.Plan, Report: planReport, Wait: usualWait,
	},
	{
		Name: "apply", Meaning: "the one of these plans that this host has made and kept",
		Documents: byChange, Takes: []*Argument{soakArg, timeArg, allArg},
		Needs: []*Argument{plansArg},
		Do:    Doer.Apply, Changes: true, Report: applyReport, Wait: usualWait,
	},
	{
		Name: "backout", Meaning: "what these requests to apply have changed",
		Documents: byChange, Needs: []*Argument{ofSome},
		Do: Doer.Backout, Changes: true, Entire: true, Report: backoutReport, Wait: usualWait,
	},
	{
		Name:      "learn",
		Documents: byChange, Needs: []*Argument{forArg},
		Do: Doer.Learn, Report: evidenceReport, Wait: usualWait,
	},
	{
		Name:      "evidence",
		Documents: byLook, Takes: []*Argument{Workload},
		Do: Doer.Evidence, Report: evidenceReport, Wait: usualWait,
	},
	{
		Name: "receive", Meaning: "a part of evidence; when all have come they are imported",
		Documents: byChange, Needs: []*Argument{partArg, sumArg, dataArg},
		Do: Doer.Receive, Wait: usualWait,
	},
	{
		Name:      "history",
		Documents: byLook,
		Do:        Doer.History, Report: historyReport, Wait: usualWait,
	},
	{
		Name: "receipt", Meaning: "what a request came to; no container is changed",
		Documents: []string{LookDocument, ChangeDocument}, Needs: []*Argument{ofOne}, Asks: true,
	},
	{
		Name: "recover", Meaning: "the same, and ends a change whose process died",
		Documents: byChange, Needs: []*Argument{ofOne}, Asks: true, Recovers: true, Wait: usualWait,
	},
}

// Lookup finds a verb by its name. One that is not known can do nothing.
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

// SchemaOf is the schema of what hosts answer to a verb; empty for one that has none.
func SchemaOf(verb string) string {
	v, _ := Lookup(verb)
	return v.Report.Schema
}

// Done reports whether an exit status of the verb says that the host did its part. One that had
// nothing to do, or left alone what its plan refuses too, did.
func (v Verb) Done(status int) bool {
	switch status {
	case dropcap.ExitOK:
		return true
	case dropcap.ExitFindings, dropcap.ExitIncomplete:
		return !v.Entire
	}
	return false
}

// arguments are all that a request to the verb may have of its own.
func (v Verb) arguments() []*Argument {
	return append(append([]*Argument{}, v.Takes...), v.Needs...)
}
