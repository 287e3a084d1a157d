package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/host"
	"dropcap/internal/plan"
	"dropcap/internal/wire"
)

// defaultSoak is how long a changed container must run well, if the request does not say.
const defaultSoak = 5 * time.Second

// Apply applies the one of the plans that this host has stored.
func (d doer) Apply(ctx context.Context, args wire.Args) (wire.Result, error) {
	kept, name, err := d.planned(ctx, args.Plans)
	if err != nil {
		return wire.Result{}, err
	}
	d.receipt.Plan = name.String()
	// If this process dies, whoever ends the request knows the plan.
	if err := d.store.SaveReceipt(ctx, d.receipt); err != nil {
		return wire.Result{}, err
	}
	h := d.host()
	policy, err := h.Policy(kept.Policy.Level)
	if err != nil {
		return wire.Result{}, err
	}
	gate := apply.Gate{Soak: defaultSoak, Timeout: args.Timeout}
	if args.Soak != nil {
		gate.Soak = *args.Soak
	}
	r, err := h.Apply(ctx, host.ApplyRequest{
		PlanRequest: host.PlanRequest{Policy: policy, Options: plan.Options{NoFiles: true}},
		Saved:       &kept, Gate: gate, All: args.All, CallTimeout: host.DefaultCallTimeout,
	})
	return changed(r, err)
}

// changed returns the result of changing containers. If nothing changed and nothing failed, a
// document says so.
func changed(r host.Changed, err error) (wire.Result, error) {
	var result wire.Result
	if r.Changes.Schema != "" || err == nil {
		r.Changes.Schema = dropcap.SchemaChange
		result = changesResult(r.Changes)
	}
	if r.Incomplete {
		result.Status = dropcap.ExitIncomplete
	}
	return result, err
}

// planned returns the one plan that this host has stored.
func (w *worker) planned(ctx context.Context, plans []wire.Plan) (dropcap.Plan, wire.Plan, error) {
	all, err := w.store.Receipts(ctx)
	if err != nil {
		return dropcap.Plan{}, wire.Plan{}, err
	}
	for _, r := range all {
		var p dropcap.Plan
		if r.Verb != "plan" || !r.State.Over() || json.Unmarshal(r.Document, &p) != nil ||
			p.Schema != dropcap.SchemaPlan {
			continue
		}
		if name := wire.PlanOf(p.ID, r.Document); slices.Contains(plans, name) {
			return p, name, nil
		}
	}
	return dropcap.Plan{}, wire.Plan{}, dropcap.Errorf(dropcap.CodeNoPlan,
		"plan again; a host keeps its plans for seven days",
		"cannot apply: this host has made and kept none of the plans")
}

// Backout reverts what requests to apply have changed, the newest first.
func (d doer) Backout(ctx context.Context, args wire.Args) (wire.Result, error) {
	list, err := d.changesOf(ctx, args.Of)
	if err != nil {
		return wire.Result{}, err
	}
	if slices.ContainsFunc(list, unfinished) {
		if list, err = d.recoveredFor(ctx, args.Of); err != nil {
			return wire.Result{}, err
		}
	}
	doc := dropcap.Changes{Schema: dropcap.SchemaChange, Changes: []dropcap.Change{}}
	var failed error
	status := dropcap.ExitOK
	for _, c := range list {
		if !host.CanBeBackedOut(c) {
			continue
		}
		if ctx.Err() != nil {
			status = dropcap.Worst(status, dropcap.ExitInterrupt)
			failed = cmp.Or(failed, notBackedOut(c))
			break
		}
		r, err := d.host().Backout(ctx, host.BackoutRequest{
			Name: c.ID, CallTimeout: host.DefaultCallTimeout,
		})
		doc.Changes = append(doc.Changes, r.Changes.Changes...)
		one, _ := changed(r, err)
		status = dropcap.Worst(status, one.Status, dropcap.ExitOf(err))
		failed = cmp.Or(failed, err)
	}
	result := changesResult(doc)
	result.Status = status
	if len(doc.Changes) == 0 && failed == nil {
		result.Summary = "nothing to back out"
	}
	return result, failed
}

func notBackedOut(c dropcap.Change) error {
	return dropcap.Errorf(dropcap.CodeInterrupt, "send it again as a new request",
		"cannot back out change %s of %s: interrupted", c.ID, c.Name)
}

func unfinished(c dropcap.Change) bool { return !c.State.Over() }

// recoveredFor finishes what the killed process of a request to apply left, and returns the changes
// to back out.
func (w *worker) recoveredFor(ctx context.Context, requests []string) ([]dropcap.Change, error) {
	_ = w.recover(ctx) // the changes show what it did not do
	list, err := w.changesOf(ctx, requests)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(list, unfinished); i >= 0 {
		return nil, dropcap.Errorf(dropcap.CodeIncomplete,
			"dropcap recover, on the host, tells why",
			"cannot back out change %s of %s: it is not at an end (%s)",
			list[i].ID, list[i].Name, list[i].State)
	}
	return list, nil
}

// applyTimeout is how long a backout waits for the request that it reverts.
const applyTimeout = time.Hour

// settled waits until a request to apply is over. One that has not arrived is recorded as reverted,
// so that it is not done when it arrives.
func (w *worker) settled(ctx context.Context, request string) (dropcap.Receipt, error) {
	r, err := w.store.Receipt(ctx, request)
	if errors.Is(err, dropcap.ErrNotFound) {
		verb, _ := wire.Lookup("apply")
		none := w.node.newReceipt(wire.Request{Verb: verb, ID: request})
		none.Command, none.State, none.Ended = "", dropcap.ReceiptDone, none.Started
		none.Status = dropcap.ExitError
		none.Error = failing(dropcap.Errorf(dropcap.CodeError, "plan again", "cannot apply: "+
			"the request was taken back before it arrived; nothing was changed"))
		none.Summary = none.Error.Message
		r, _, err = w.store.BeginReceipt(ctx, none)
	}
	if err != nil || r.Verb != "apply" || r.State.Over() {
		return r, err
	}
	return w.node.wait(ctx, w.store, recovering(request), applyTimeout)
}

// changesOf returns the current changes of the named requests to apply, the newest first. One that
// still runs is an error.
func (w *worker) changesOf(ctx context.Context, requests []string) ([]dropcap.Change, error) {
	all, err := w.store.Changes(ctx)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, request := range requests {
		r, err := w.settled(ctx, request)
		switch {
		case err != nil:
			return nil, err
		case r.Verb != "apply":
			continue // nothing was changed for it
		case !r.State.Over():
			return nil, dropcap.Errorf(dropcap.CodeIncomplete,
				"ask for its receipt until it is over",
				"cannot back out request %s: it still goes on", request)
		}
		for _, c := range changesFor(r, all) {
			ids[c.ID] = true
		}
	}
	return slices.DeleteFunc(all, func(c dropcap.Change) bool { return !ids[c.ID] }), nil
}

// changesFor returns the changes in the journal that a request to apply has made: those that its
// receipt names, and those of its plan that began while it ran, in case its document was lost or
// never written.
func changesFor(r dropcap.Receipt, all []dropcap.Change) []dropcap.Change {
	var doc dropcap.Changes
	_ = json.Unmarshal(r.Document, &doc) // without one the plan decides
	named := func(c dropcap.Change) bool {
		return slices.ContainsFunc(doc.Changes, func(d dropcap.Change) bool { return d.ID == c.ID })
	}
	plans := plansOf(r)
	var list []dropcap.Change
	for _, c := range all {
		ended := r.Ended != "" && moment(c.Started) > moment(r.Ended)
		within := plans[c.Plan] && moment(c.Started) >= moment(r.Started) && !ended
		if within || named(c) {
			list = append(list, c)
		}
	}
	return list
}

// plansOf returns the ids of the plans of a request to apply: the one that it applied, or else
// those of all hosts that got the same request.
func plansOf(r dropcap.Receipt) map[string]bool {
	ids := map[string]bool{}
	if p, ok := wire.ParsePlan(r.Plan); ok {
		ids[p.ID] = true
		return ids
	}
	args, _ := wire.ParseArgs(r.Verb, r.Args) // what cannot be parsed was never applied
	for _, p := range args.Plans {
		ids[p.ID] = true
	}
	return ids
}

// moment returns a time in seconds; 0 if it cannot be parsed.
func moment(text string) int64 {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0
	}
	return t.Unix()
}
