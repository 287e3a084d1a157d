package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/plan"
	"dropcap/internal/printable"
	"dropcap/internal/recreate"
	"dropcap/internal/store"
)

// PlanRequest says what to plan, and what the operator allows.
type PlanRequest struct {
	SeeRequest
	Owners  []string // keeps the containers of these kinds of owner; none keeps all
	Policy  dropcap.Policy
	Options plan.Options
	// DiscardLayer allows losing what was written to a container's own layer.
	DiscardLayer bool
	// CarryLimit is the size of a container's own layer that is copied without asking, in bytes; 0
	// is the default. AskCarry asks about larger ones.
	CarryLimit int64
	AskCarry   bool
	// agreed are the answers, by the container's id.
	agreed map[string]bool
	// EnvFile is the file with a container's values in printed commands; empty means NAME.env.
	EnvFile string
}

// Planned is a plan with what re-creates its containers. The recipes hold secrets.
type Planned struct {
	Plan dropcap.Plan

	input    plan.Input
	recipes  map[string]*recreate.Recipe  // by container id
	original map[string]recreate.Original // the same

	originals *originals // all that was read for them

	containers map[string]dropcap.Container // by id, also those that only depend on a planned one
	groups     map[string][]string          // by id, those that are changed together with it
}

// Plan says what each container would lose and keep, and how. Without a store there is a warning:
// the plan can be read, and not applied from a file.
func (h *Host) Plan(ctx context.Context, q PlanRequest) (Planned, error) {
	defer unhurried()()
	session, err := h.Open(ctx)
	if err != nil {
		return Planned{}, err
	}
	defer session.Close()
	s, err := store.Open(h.config.Store)
	if err != nil {
		h.observer.Warn(fmt.Errorf("planning without the store, so that this plan cannot be "+
			"applied: %w", err))
		return h.plan(ctx, session, nil, q)
	}
	defer s.Close()
	h.warnUnfinished(ctx, s)
	return h.plan(ctx, session, s, q)
}

// warnUnfinished warns of an interrupted change.
func (h *Host) warnUnfinished(ctx context.Context, s *store.Store) {
	open, err := s.Unfinished(ctx)
	for _, c := range open {
		h.observer.Warn(fmt.Errorf(
			"change %s of %s is not finished (%s): `dropcap recover` ends it",
			c.ID, c.Name, c.State))
	}
	if err != nil {
		h.observer.Warn(err)
	}
}

// plan returns a plan. With a nil store, steps have no fingerprints.
func (h *Host) plan(ctx context.Context, session *Session, s *store.Store,
	q PlanRequest) (Planned, error) {
	var p Planned
	snap, err := h.see(ctx, session, q.SeeRequest)
	if err != nil {
		return p, err
	}
	if len(q.Owners) > 0 {
		snap.Containers = slices.DeleteFunc(snap.Containers, func(c dropcap.Container) bool {
			return !slices.Contains(q.Owners, c.Owner.Kind)
		})
	}
	if err := MarkRetained(ctx, s, &snap); err != nil {
		return p, err
	}
	p.input = plan.Input{Host: snap.Host, Policy: q.Policy, Options: q.Options, Now: now()}
	if s != nil {
		if p.input.Evidence, err = Stored(ctx, s, ""); err != nil {
			return p, err
		}
	}
	if err := p.gather(ctx, session, s, snap, q); err != nil {
		return p, err
	}
	p.Plan = plan.Make(p.input)
	if err := p.askCarry(ctx, h.observer, q); err != nil {
		return p, err
	}
	p.Plan.Missing = snap.Missing
	return p, nil
}

// Reveal returns what the printed command of the plan's one container needs, as the contents of a
// file of that name. It holds secrets.
func (p Planned) Reveal(file string) ([]byte, error) {
	if len(p.Plan.Steps) != 1 {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "name one container",
			"cannot write the values of %d containers to one file", len(p.Plan.Steps))
	}
	step := p.Plan.Steps[0]
	recipe := p.recipes[step.Container.ID]
	if recipe == nil {
		return nil, dropcap.Errorf(dropcap.CodeIncomplete, step.Hint,
			"cannot reveal the values of %s: %s", step.Container.Name, step.Refused)
	}
	return recipe.Command(step.After, file).File, nil
}

// gather reads what re-creates each container of the snapshot.
func (p *Planned) gather(ctx context.Context, h *Session, s *store.Store, snap dropcap.Snapshot,
	q PlanRequest) error {
	retained, err := retainedIDs(ctx, s)
	if err != nil {
		return err
	}
	o, err := readOriginals(ctx, h, snap, retained)
	if err != nil {
		return err
	}
	company, err := o.company(ctx)
	if err != nil {
		return err
	}
	p.recipes, p.original, p.originals = map[string]*recreate.Recipe{}, o.found, o
	var inPlace []string
	if q.Options.Strategy == dropcap.StrategyInPlace {
		inPlace = o.inPlaceNotes(ctx)
	}
	p.input.Decided = func(steps []dropcap.Step) { o.decided = steps }
	for _, c := range snap.Containers {
		c.Owner = owner.ByUnit(c, o.units.Known)
		original, ok := o.found[c.ID]
		if err := o.failed[c.ID]; err != nil || !ok && c.Unread != "" {
			p.input.Subjects = append(p.input.Subjects, unreadable(c, err))
		}
		if !ok {
			continue // it is gone, or was not listed
		}
		r, err := recreate.Read(original)
		if err != nil {
			p.input.Subjects = append(p.input.Subjects, unreadable(c, err))
			continue
		}
		p.recipes[c.ID] = r
		injected := func() []string { return o.injected(c.LabelValues) }
		subject := subjectOf(c, original, r, q, injected)
		subject.Notes = slices.Concat(subject.Notes, o.darkNotes(),
			owner.UnknownClients(c, o.units.Strangers))
		subject.InPlaceNotes = inPlace
		subject.PeersLose = func() bool { return o.peersLose(ctx, c, q) }
		subject.DependsOn, subject.Source = o.dependencies(c, snap.Containers), o.sourceOf(c)
		if s != nil {
			subject.Fingerprint = s.Fingerprint(r.Declared())
		}
		p.input.Subjects = append(p.input.Subjects, subject)
	}
	p.together(q, slices.Concat(snap.Containers, company))
	return nil
}

func subjectOf(c dropcap.Container, original recreate.Original, r *recreate.Recipe,
	q PlanRequest, injected func() []string) plan.Subject {
	return plan.Subject{
		Container: c, Inspect: original.Inspect, Execs: r.Execs(), Notes: r.Warnings(),
		Goes: r.Deprivileged(), Unsaid: unsaid(r, q, c.ID),
		FreshLayer: q.DiscardLayer && len(r.Layer()) > 0,
		Against: func(st dropcap.Strategy) []plan.Refusal {
			return ownRefusals(r, q.recreation(st, c.ID), injected)
		},
		Layer: func() *dropcap.CarriedLayer {
			return carried(r, q.recreation(dropcap.StrategyRecreate, c.ID))
		},
		Command: func(g dropcap.Grant) plan.Command {
			by := r.Command(g, q.fileOf(c.Name))
			return plan.Command{File: q.fileOf(c.Name), Fetch: by.Fetch, Line: by.Line}
		},
	}
}

// unsaid returns what the command by hand cannot express.
func unsaid(r *recreate.Recipe, q PlanRequest, id string) []string {
	list := r.Unsaid()
	if len(r.Layer()) > 0 && r.Carries(q.recreation(dropcap.StrategyRecreate, id)) {
		list = append(slices.Clip(list), "what stands in its own layer, which `dropcap apply` "+
			"carries along and this command leaves behind in the old container")
	}
	return list
}

// unreadable returns the subject of a container that cannot be re-created, since the engine's
// answers about it fail or cannot be parsed.
func unreadable(c dropcap.Container, err error) plan.Subject {
	if err == nil {
		err = errors.New(c.Unread)
	}
	message, hint := sentence(err)
	refusal := plan.Refusal{Slug: "unreadable", Message: printable.Line(message), Hint: hint}
	return plan.Subject{Container: c, Against: func(dropcap.Strategy) []plan.Refusal {
		return []plan.Refusal{refusal}
	}}
}

// ownRefusals are refusals where what the owner writes into each container by itself does not
// count.
func ownRefusals(r *recreate.Recipe, o recreate.Options, injected func() []string) []plan.Refusal {
	if o.Strategy == dropcap.StrategySource && len(r.Layer()) > 0 {
		r = r.Injected(injected())
	}
	return refusals(r, o)
}

func refusals(r *recreate.Recipe, o recreate.Options) []plan.Refusal {
	var list []plan.Refusal
	for _, x := range r.Refusals(o) {
		if x.Slug == "layer" && o.Strategy == dropcap.StrategySource {
			x.Hint = "keep those in a volume, change the container itself with --strategy " +
				"recreate, which carries them along, or say --discard-layer"
		}
		list = append(list, plan.Refusal{Slug: x.Slug, Message: x.Message, Hint: x.Hint})
	}
	return list
}

// fileOf is what a printed command calls the file with a container's environment.
func (q PlanRequest) fileOf(name string) string {
	if q.EnvFile != "" {
		return q.EnvFile
	}
	return name + ".env"
}
