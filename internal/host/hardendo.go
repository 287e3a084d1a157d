package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/apply"
	"dropcap/internal/evidence"
	"dropcap/internal/harden"
	"dropcap/internal/owner"
	"dropcap/internal/plan"
	"dropcap/internal/store"
)

// doubts are the refusals that depend on what is known, and not on the container.
var doubts = []string{"no-evidence", "low-confidence", "untried"}

// soak is how long a changed container must go on well before the change counts as done; it is
// watched for long afterwards.
const soak = 5 * time.Second

// request is what to plan for a workload.
func (w *hardening) request(h dropcap.Hardening) (PlanRequest, error) {
	p := w.policy
	p.Level = h.Settings.Level
	p.Keeps = slices.Clone(p.Keeps)
	if !h.Missed.Empty() {
		p.Keeps = append(p.Keeps, dropcap.Keep{Caps: h.Missed,
			Containers: dropcap.Selector{Workload: exactly(h.Workload)},
			Reason:     "it was missed after a change"})
	}
	names := w.names(h.Workload)
	if len(names) == 0 {
		return PlanRequest{}, dropcap.Errorf(dropcap.CodeIncomplete, "",
			"cannot plan for %s: it has no container", h.Workload)
	}
	return PlanRequest{SeeRequest: SeeRequest{Names: names}, Policy: p,
		Options: plan.Options{AcceptLow: h.Settings.AcceptLow}}, nil
}

// exactly is a pattern that only this text matches.
func exactly(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(text)
}

// Plan plans, and tells what is known too little from what else speaks against the change.
func (w *hardening) Plan(ctx context.Context, h dropcap.Hardening) (harden.Proposal, error) {
	q, err := w.request(h)
	if err != nil {
		return harden.Proposal{}, err
	}
	planned, err := w.host.plan(ctx, w.session, w.kept, q)
	if err != nil {
		return harden.Proposal{}, err
	}
	out := harden.Proposal{Sure: true}
	for _, s := range planned.Plan.Steps {
		out.Required |= s.After.Holds
		if !s.Changes() && s.Refused == "" {
			continue
		}
		out.Drop |= s.Drop
		for _, r := range s.Refusals {
			to := &out.Refused
			if slices.Contains(doubts, r.Slug) {
				to = &out.Doubt
			}
			if to.Message == "" {
				*to = r
			}
		}
		w.lacks(planned.input.Evidence, s, planned.containers[s.Container.ID], &out)
	}
	if h.Settings.Level == dropcap.LevelCIS {
		out.Start = false // what the control drops by itself needs no start
	}
	return out, nil
}

// lacks adds what the evidence of a step lacks to be relied on, and to be sure.
func (w *hardening) lacks(list []dropcap.WorkloadEvidence, s dropcap.Step, c dropcap.Container,
	out *harden.Proposal) {
	known, ok := evidence.For(list, evidence.Subject{Workload: s.Workload, Revision: c.Revision,
		Host: w.here, Held: s.Before.Holds})
	if !ok {
		known.Level = dropcap.ConfidenceLow
	}
	kind := owner.Of(s.Owner.Kind)
	may := kind.Manager == "" && kind.Source != owner.SourceSwarm // may be restarted by us
	gaps, lacks := known.Gaps(), known.Lacks()
	out.Start = out.Start || may && (gaps.Start || !ok)
	out.Early = out.Early || !ok || gaps.Time || lacks.Time
	if !known.Sure() {
		out.Sure, out.Missing = false, lacks.String()
		out.Stop = out.Stop || may && lacks.Restart
		out.Early = out.Early && len(lacks.Other) == 0
	}
}

// Restart restarts the workload's running containers.
func (w *hardening) Restart(ctx context.Context, h dropcap.Hardening) error {
	r := restarting{observer: w.host.observer, client: w.session.Client,
		names: map[string]string{}}
	for _, id := range w.by[h.Workload] {
		if f := w.facts[id]; f.state == "running" {
			r.names[id] = f.name
		}
	}
	if len(r.names) == 0 {
		return dropcap.Errorf(dropcap.CodeIncomplete, "", "cannot restart %s: it does not run",
			h.Workload)
	}
	members, err := r.members(ctx)
	if err != nil {
		return passing(err)
	}
	defer w.changed(w.by[h.Workload]...)
	return r.run(ctx, members)
}

// Change plans again, and applies that if it is what was decided.
func (w *hardening) Change(ctx context.Context, h dropcap.Hardening, drop caps.Set) error {
	q, err := w.request(h)
	if err != nil {
		return err
	}
	planned, err := w.host.plan(ctx, w.session, w.kept, q)
	if err != nil {
		return fmt.Errorf("%w: %w", harden.ErrNotNow, err)
	}
	var would caps.Set
	for _, s := range planned.Plan.Steps {
		would |= s.Drop
		if s.Refused != "" {
			return dropcap.Errorf(dropcap.CodeIncomplete, s.Hint, "%s", s.Refused)
		}
	}
	if would != drop {
		return dropcap.Errorf(dropcap.CodeIncomplete, "it is looked at again",
			"cannot drop %s: it would be %s by now", drop.Short(), would.Short())
	}
	defer w.changed(w.by[h.Workload]...)
	left := &leftAsItIs{Observer: w.host.observer}
	config := w.host.config
	config.Observer = left
	r, err := New(config).Apply(ctx, ApplyRequest{PlanRequest: q, Saved: &planned.Plan, All: true,
		Gate: apply.Gate{Soak: soak}, CallTimeout: DefaultCallTimeout})
	switch {
	case len(r.Changes.Changes) > 0:
		return nil // the journal tells how it ended
	case err != nil:
		return passing(err)
	case left.why != nil:
		return left.why
	}
	return dropcap.Errorf(dropcap.CodeIncomplete, "it is looked at again",
		"cannot change %s: there was nothing to change", h.Workload)
}

// leftAsItIs keeps the last reason why a container was not changed.
type leftAsItIs struct {
	Observer
	why error
}

func (l *leftAsItIs) Warn(err error) {
	l.why = err
	l.Observer.Warn(err)
}

// Backout takes the last change back.
func (w *hardening) Backout(ctx context.Context, h dropcap.Hardening) error {
	defer w.changed(w.by[h.Workload]...)
	_, err := w.host.Backout(ctx, BackoutRequest{Name: h.Change, CallTimeout: DefaultCallTimeout})
	return err
}

// Recover finishes changes that were interrupted.
func (w *hardening) Recover(ctx context.Context) error {
	defer w.changed()
	_, err := w.host.Recover(ctx, RecoverRequest{CallTimeout: DefaultCallTimeout})
	return err
}

// passing marks an error that says nothing about the workload.
func passing(err error) error {
	if err != nil && (CodeOf(err) == dropcap.CodeHost || errors.Is(err, store.ErrBusy)) {
		return fmt.Errorf("%w: %w", harden.ErrNotNow, err)
	}
	return err
}

// ifThere is nil for what is gone.
func ifThere(err error) error {
	if errors.Is(err, dropcap.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("look at a container: %w", err)
}
