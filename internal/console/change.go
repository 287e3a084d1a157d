package console

import (
	"context"
	"fmt"
	"slices"

	"dropcap"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// apply applies the plan that a run has made before, or makes one and applies it. A plan that is
// made here is of this command, so that a command that comes twice does it once.
func (t task) apply(ctx context.Context) (Page, error) {
	r, err := t.planToApply(ctx)
	switch {
	case err != nil:
		return Page{}, err
	case r == nil:
		return Page{
			Verdict: "LEFT AS IT IS: this host has no plan of run " + t.Run,
			Facts:   []string{"run:  " + t.Run},
			Next: []string{"to do: plan again with dropcap-plan, and give its run; a host keeps " +
				"its plans for seven days"},
		}, nil
	}
	p, done := t.pageOf(*r)
	if t.Run == "" {
		p.Facts = append(p.Facts, t.scope())
	}
	if !done || !wentWell(*r) || r.Error != nil {
		return p, nil
	}
	var plan dropcap.Plan
	if err := read(*r, &plan); err != nil {
		return p, err
	}
	p.Status = dropcap.ExitOK
	switch {
	case len(changing(plan)) == 0:
		p.Plan, p.Verdict = &plan, intent(plan)
		return p, nil
	case t.DryRun:
		p.Plan, p.Verdict = &plan, "DRY RUN, nothing was changed. "+intent(plan)
		p.Next = append(p.Next, "next: the same with run "+t.of()+" and dryRun no does this, and "+
			"nothing else")
		return p, nil
	}
	done2, err := t.ask(ctx, "apply", t.name(t.of(), "apply"),
		wire.Args{Plans: []wire.Plan{wire.PlanOf(plan.ID, r.Document)}})
	if err != nil {
		return Page{}, err
	}
	return t.applied(ctx, done2)
}

// planToApply returns the plan of the run; nil if the run was to have one, and this host has none.
func (t task) planToApply(ctx context.Context) (*dropcap.Receipt, error) {
	if t.Run != "" {
		return t.receipt(ctx, t.name(t.Run, "plan"))
	}
	r, err := t.askPlan(ctx)
	return &r, err
}

// applied tells what an apply came to, with its changes as they are now.
func (t task) applied(ctx context.Context, r dropcap.Receipt) (Page, error) {
	p, done := t.pageOf(r)
	if r.Command != "" && r.Command != t.Command {
		p.Facts = append(p.Facts, "once: this run was applied by command "+r.Command+" at "+
			r.Started+"; nothing was done again")
	}
	if !done {
		return p, nil
	}
	var c dropcap.Changes
	if err := read(r, &c); err != nil {
		return p, err
	}
	if err := t.asOfNow(ctx, &c); err != nil {
		return p, err
	}
	p.Changes = &c
	switch {
	case r.Error != nil:
	case len(c.Changes) == 0:
		p.Verdict = "NOTHING DONE: no container was changed"
	case r.Status == dropcap.ExitIncomplete:
		p.Verdict = "DONE, in part: " + states(c) + "; others were left as they are"
	default:
		p.Verdict = "DONE: " + states(c)
	}
	if wentWell(r) && r.Error == nil {
		p.Status = dropcap.ExitOK
	}
	if slices.ContainsFunc(c.Changes, func(x dropcap.Change) bool {
		return x.State == dropcap.Applied
	}) {
		p.Next = append(p.Next, "back: dropcap-backout with run "+t.of()+" takes exactly this back")
	}
	return p, nil
}

// asOfNow brings changes to their present state: a run that was applied may be backed out by now.
func (t task) asOfNow(ctx context.Context, c *dropcap.Changes) error {
	if len(c.Changes) == 0 {
		return nil
	}
	r, err := t.asked(ctx)
	if err != nil || len(r.Document) == 0 {
		return err
	}
	var now dropcap.Changes
	if err := read(r, &now); err != nil {
		return err
	}
	for i, x := range c.Changes {
		if k := slices.IndexFunc(now.Changes, func(y dropcap.Change) bool {
			return x.ID == y.ID
		}); k >= 0 {
			c.Changes[i] = now.Changes[k]
		}
	}
	return nil
}

// backout takes back what a run has applied. Each command is a backout of its own, so that one that
// failed can be tried again; what is back already stays as it is.
func (t task) backout(ctx context.Context) (Page, error) {
	names, err := t.toBackOut(ctx)
	if err != nil {
		return Page{}, err
	}
	if len(names) == 0 {
		return Page{Verdict: "NOTHING TO DO: nothing was applied on this host by a form or a fleet",
			Facts: []string{t.about()}}, nil
	}
	r, err := t.ask(ctx, "backout", t.name(t.Command, "backout"), wire.Args{Of: names})
	if err != nil {
		return Page{}, err
	}
	return t.backedOut(r)
}

// backedOut tells what a backout came to.
func (t task) backedOut(r dropcap.Receipt) (Page, error) {
	p, done := t.pageOf(r)
	if !done {
		return p, nil
	}
	var c dropcap.Changes
	if err := read(r, &c); err != nil {
		return p, err
	}
	p.Changes = &c
	switch {
	case r.Error != nil:
	case len(c.Changes) == 0:
		p.Verdict = "NOTHING TO DO: nothing of it stands any more on this host"
	case r.Status != dropcap.ExitOK:
		p.Verdict = fmt.Sprintf("NOT ALL IS BACK: %s: %s",
			printable.Count(len(c.Changes), "change"), states(c))
	default:
		p.Verdict = "DONE: " + states(c) + ", the very same old containers run again"
	}
	return p, nil
}

// toBackOut names the requests to apply that are meant.
func (t task) toBackOut(ctx context.Context) ([]string, error) {
	if t.Run != "last" && t.Run != "all" {
		return []string{t.name(t.Run, "apply")}, nil
	}
	list, err := t.Node.Applied(ctx)
	if err != nil {
		return nil, err
	}
	if t.Run == "last" {
		list = list[:min(len(list), 1)]
	}
	return slices.Clip(list), nil
}
