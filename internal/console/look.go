package console

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/fleet"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// audit judges the containers. The first audit of a run is what a later one is compared with.
func (t task) audit(ctx context.Context) (Page, error) {
	part, before := "audit", (*dropcap.Receipt)(nil)
	if t.Findings == "new" {
		var err error
		if before, err = t.receipt(ctx, t.name(t.of(), part)); err != nil {
			return Page{}, err
		}
		part = "audit after " + t.Command
	}
	r, err := t.ask(ctx, "audit", t.name(t.of(), part),
		wire.Args{Level: t.Level, Containers: t.Containers})
	if err != nil {
		return Page{}, err
	}
	p, err := t.audited(r, t.scope())
	switch {
	case err != nil || p.Audit == nil || r.Error != nil:
	case t.Findings == "new":
		compared(&p, before, *p.Audit)
	case t.Findings == "report" && wentWell(r):
		p.Status = dropcap.ExitOK
	}
	return p, err
}

// audited tells what an audit found.
func (t task) audited(r dropcap.Receipt, facts ...string) (Page, error) {
	p, done := t.pageOf(r)
	p.Facts = append(p.Facts, facts...)
	if !done {
		return p, nil
	}
	var a dropcap.Audit
	if err := read(r, &a); err != nil {
		return p, err
	}
	p.Audit = &a
	if r.Error != nil {
		return p, nil // that is the verdict, whatever else was seen
	}
	p.Verdict = judgement(a)
	if a.Summary.Fail > 0 {
		p.Next = append(p.Next, "next: dropcap-plan shows what would be changed")
	}
	return p, nil
}

// judgement returns the verdict of an audit.
func judgement(a dropcap.Audit) string {
	n := a.Summary
	what := printable.Count(n.Containers, "container") + " (level " + string(a.Policy.Level) + ")"
	switch {
	case n.Containers == 0 && len(a.Missing) > 0:
		return "NOTHING TO JUDGE: there is no such container on this host"
	case n.Fail > 0:
		return fmt.Sprintf("FAIL: %d of %s may do more than they should", n.Fail, what)
	case n.Unknown > 0:
		return fmt.Sprintf("UNKNOWN: %d of %s could not be judged", n.Unknown, what)
	case slices.ContainsFunc(a.Findings, dropcap.Finding.Counts):
		return "FAIL: the containers pass, and the policy itself has a finding"
	case n.Containers == 0:
		return "NOTHING TO JUDGE: there are no containers on this host"
	case n.Waived > 0:
		return fmt.Sprintf("PASS: %d of %s, and %d waived", n.Pass, what, n.Waived)
	}
	return "PASS: " + what + ", none may do more than it should"
}

// compared judges an audit by what is worse than at the beginning of the run.
func compared(p *Page, before *dropcap.Receipt, now dropcap.Audit) {
	p.Status = dropcap.ExitOK
	var then dropcap.Audit
	if before == nil || before.Error != nil || read(*before, &then) != nil {
		p.Facts = append(p.Facts, "since: this host was not audited at the beginning of the run, "+
			"so nothing can be compared")
		return
	}
	var worse []string
	for _, f := range fleet.NewFindings(then, now) {
		worse = append(worse, printable.Line(f.Container)+": "+string(f.Finding.Rule))
	}
	for _, name := range fleet.NotRunning(then, now) {
		worse = append(worse, printable.Line(name)+" does not run any more")
	}
	for _, name := range fleet.NotSeen(then, now) {
		worse = append(worse, printable.Line(name)+" cannot be looked at any more")
	}
	if len(worse) == 0 {
		p.Verdict = "NOT WORSE than at the beginning of the run. " + p.Verdict
		return
	}
	slices.Sort(worse)
	worse = slices.Compact(worse)
	p.Status = dropcap.ExitFindings
	p.Verdict = "WORSE than at the beginning of the run: " + worse[0]
	if more := len(worse) - 1; more > 0 {
		p.Verdict += fmt.Sprintf(", and %d more", more)
		p.Next = append(p.Next, "worse: "+printable.Cut(strings.Join(worse, "; "), 500))
	}
	p.Next = append(p.Next, "next: dropcap-backout with the run takes back what it changed")
}

// plan makes a plan, which the host keeps for an apply of the same run.
func (t task) plan(ctx context.Context) (Page, error) {
	r, err := t.askPlan(ctx)
	if err != nil {
		return Page{}, err
	}
	return t.planned(r, "", t.scope())
}

// planned tells what a plan would change, after some words.
func (t task) planned(r dropcap.Receipt, words string, facts ...string) (Page, error) {
	p, done := t.pageOf(r)
	p.Facts = append(p.Facts, facts...)
	if !done {
		return p, nil
	}
	var plan dropcap.Plan
	if err := read(r, &plan); err != nil {
		return p, err
	}
	p.Plan = &plan
	if r.Error != nil {
		return p, nil
	}
	p.Verdict = words + intent(plan)
	if wentWell(r) {
		p.Status = dropcap.ExitOK
	}
	if len(changing(plan)) > 0 {
		p.Next = append(p.Next, "next: dropcap-apply with run "+t.of()+" and dryRun no does this, "+
			"and nothing else; the host keeps the plan for seven days")
	}
	return p, nil
}

// askPlan makes the plan of the run.
func (t task) askPlan(ctx context.Context) (dropcap.Receipt, error) {
	return t.ask(ctx, "plan", t.name(t.of(), "plan"), wire.Args{Level: t.Level,
		Containers: t.Containers, AcceptLow: t.AcceptLow})
}

// changing returns the steps of a plan that would change something.
func changing(p dropcap.Plan) (list []dropcap.Step) {
	for _, s := range p.Steps {
		if s.Changes() && s.Refused == "" {
			list = append(list, s)
		}
	}
	return list
}

// refused counts the steps that a plan refuses.
func refused(p dropcap.Plan) (n int) {
	for _, s := range p.Steps {
		if s.Refused != "" {
			n++
		}
	}
	return n
}

// intent returns the verdict of a plan.
func intent(p dropcap.Plan) string {
	change, left := len(changing(p)), refused(p)
	of := printable.Count(len(p.Steps), "container") + " (level " + string(p.Policy.Level) + ")"
	switch {
	case change > 0 && left > 0:
		return fmt.Sprintf("TO CHANGE: %d of %s; %d would be left as they are, since the plan "+
			"refuses them", change, of, left)
	case change > 0:
		return fmt.Sprintf("TO CHANGE: %d of %s", change, of)
	case left > 0:
		return fmt.Sprintf("LEFT AS THEY ARE: the plan refuses %d of %s", left, of)
	case len(p.Steps) == 0:
		return "NOTHING TO DO: there is no such container on this host"
	}
	return "NOTHING TO DO: " + of + " may do no more than they should"
}

// status tells what came of a run, or what was changed on this host.
func (t task) status(ctx context.Context) (Page, error) {
	if t.Run == "" {
		return t.history(ctx)
	}
	for _, part := range []string{"apply", "backout", "plan", "audit"} {
		r, err := t.receipt(ctx, t.name(t.Run, part))
		if err != nil {
			return Page{}, err
		}
		if r == nil {
			continue
		}
		p, err := t.cameTo(ctx, part, *r)
		if r.State.Over() {
			p.Status = dropcap.ExitOK // it is told, whatever it came to
		}
		return p, err
	}
	return Page{Verdict: "UNKNOWN RUN: this host has done nothing for run " + t.Run,
		Facts: []string{t.about()}}, nil
}

// cameTo tells what a part of a run came to.
func (t task) cameTo(ctx context.Context, part string, r dropcap.Receipt) (Page, error) {
	switch part {
	case "apply":
		return t.applied(ctx, r)
	case "backout":
		return t.backedOut(r)
	case "plan":
		return t.planned(r, "PLANNED, and not applied. ")
	}
	return t.audited(r)
}

// history tells all changes of this host.
func (t task) history(ctx context.Context) (Page, error) {
	r, err := t.asked(ctx)
	if err != nil {
		return Page{}, err
	}
	p, done := t.pageOf(r)
	if !done {
		return p, nil
	}
	var c dropcap.Changes
	if err := read(r, &c); err != nil {
		return p, err
	}
	p.Changes = &c
	p.Verdict = "NOTHING was changed on this host yet"
	if len(c.Changes) > 0 {
		p.Verdict = strings.ToUpper(printable.Count(len(c.Changes), "change")) +
			" on this host: " + states(c)
	}
	return p, nil
}

// asked has the node tell its history as of now.
func (t task) asked(ctx context.Context) (dropcap.Receipt, error) {
	return t.ask(ctx, "history", t.name(t.Command, "history "+t.Verb), wire.Args{})
}

// states counts changes by their state.
func states(c dropcap.Changes) string {
	var parts []string
	for _, s := range []dropcap.ChangeState{dropcap.Applied, dropcap.BackedOut, dropcap.RolledBack,
		dropcap.NeedsPerson} {
		n := 0
		for _, x := range c.Changes {
			if x.State == s {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(parts) == 0 {
		return "not at an end"
	}
	return strings.Join(parts, ", ")
}

// wentWell reports whether a host did its part, whatever it found.
func wentWell(r dropcap.Receipt) bool {
	v, _ := wire.Lookup(r.Verb)
	return v.Done(r.Status)
}

// read reads the document of this host's own receipt.
func read(r dropcap.Receipt, into any) error {
	if err := json.Unmarshal(r.Document, into); err != nil {
		return dropcap.Errorf(dropcap.CodeError, "send the form again",
			"cannot read what the %s of this host came to: %w", r.Verb, err)
	}
	return nil
}
