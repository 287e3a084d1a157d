package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/plan"
	"dropcap/internal/recreate"
	"dropcap/internal/snapshot"
	"dropcap/internal/store"
)

// planFlags say what is planned: the flags that plan and apply share.
type planFlags struct {
	policy, level, store, accept, strategy string
	deprivilege, discardLayer, inPlace     bool
	ifPresent                              bool // --if-present
	noFiles                                bool // --no-source-files
	filters                                []string
	envFile                                string // what printed commands call the file with the environment
}

func (f *planFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.policy, "policy", "", "policy file (default: as for audit)")
	fl.StringVar(&f.level, "level", "", "how much to drop: cis or least (default: the policy's, else cis)")
	fl.StringVar(&f.accept, "accept", "", "low: let evidence of low confidence, or none, decide")
	fl.StringVar(&f.strategy, "strategy", "", "recreate, in-place, source or manual (default: as the container's owner does it)")
	fl.BoolVar(&f.inPlace, "in-place", false, "the same as --strategy in-place")
	fl.BoolVar(&f.deprivilege, "deprivilege", false, "make privileged containers ordinary ones with capabilities; the plan says what else goes")
	fl.BoolVar(&f.discardLayer, "discard-layer", false, "what was written into a container's own layer may be lost")
	fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store")
	fl.BoolVar(&f.noFiles, "no-source-files", false, "refuse to edit a file of an owner")
	cobra.CheckErr(fl.MarkHidden("no-source-files"))
	fl.StringArrayVarP(&f.filters, "filter", "f", nil, "docker's filters (name=, label=, status=, …) and owner=")
}

// options reads the flags before anything is asked.
func (f *planFlags) options() (plan.Options, error) {
	o := plan.Options{AcceptLow: f.accept == "low", Deprivilege: f.deprivilege, NoFiles: f.noFiles, Strategy: dropcap.Strategy(f.strategy)}
	if f.accept != "" && f.accept != "low" {
		return o, usageError("for example --accept low", "cannot accept confidence %q", f.accept)
	}
	switch o.Strategy {
	case "", dropcap.StrategyRecreate, dropcap.StrategyInPlace, dropcap.StrategySource, dropcap.StrategyManual:
	default:
		return o, usageError("recreate, in-place, source or manual", "cannot use the strategy %q", f.strategy)
	}
	if f.inPlace {
		if o.Strategy != "" && o.Strategy != dropcap.StrategyInPlace {
			return o, usageError("give one of them", "cannot use --in-place together with --strategy %s", f.strategy)
		}
		o.Strategy = dropcap.StrategyInPlace
	}
	return o, nil
}

// planned is a plan with what re-creates its containers. The recipes hold secrets.
type planned struct {
	plan.Input
	plan     dropcap.Plan
	recipes  map[string]*recreate.Recipe  // by container id
	original map[string]recreate.Original // the same

	originals *originals // all that was read for them
}

// makePlan looks at the named containers, or all, and plans. s may be nil: then the plan's steps have no fingerprint.
func (a *app) makePlan(ctx context.Context, h *host.Session, s *store.Store, names []string, f *planFlags) (planned, error) {
	var p planned
	options, err := f.options()
	if err != nil {
		return p, err
	}
	pol, err := a.loadPolicy(ctx, f.policy, f.level)
	if err != nil {
		return p, err
	}
	engine, ours, err := planFilters(f.filters)
	if err != nil {
		return p, err
	}
	snap, err := snapshot.Take(ctx, h, h.Kernel, h.Machine, snapshot.Query{Names: names, Filters: engine, IfPresent: f.ifPresent, Progress: a.progress("looked at")})
	if err != nil {
		return p, err
	}
	snap.Containers = ours.keep(snap.Containers)
	if err := host.MarkRetained(ctx, s, &snap); err != nil {
		return p, err
	}
	p.Input = plan.Input{Host: snap.Host, Policy: pol, Options: options, Now: time.Now()}
	if s != nil {
		if p.Evidence, err = host.Stored(ctx, s, ""); err != nil {
			return p, err
		}
	}
	if err := p.gather(ctx, h, s, snap, f); err != nil {
		return p, err
	}
	p.plan = plan.Make(p.Input)
	p.plan.Absent = snap.Absent
	return p, nil
}

// gather reads what re-creates each container of the snapshot.
func (p *planned) gather(ctx context.Context, h *host.Session, s *store.Store, snap dropcap.Snapshot, f *planFlags) error {
	o, err := readOriginals(ctx, h, snap)
	if err != nil {
		return err
	}
	p.recipes, p.original, p.originals = map[string]*recreate.Recipe{}, o.found, o
	for _, c := range snap.Containers {
		c.Owner = o.ownerOf(c)
		original, ok := o.found[c.ID]
		if err := o.failed[c.ID]; err != nil || !ok && c.Unread != "" {
			p.Subjects = append(p.Subjects, unreadable(c, err))
		}
		if !ok {
			continue // it is gone, or was not told of
		}
		r, err := recreate.Read(original)
		if err != nil {
			p.Subjects = append(p.Subjects, unreadable(c, err))
			continue
		}
		p.recipes[c.ID] = r
		subject := subjectOf(c, original, r, f)
		subject.Notes = append(subject.Notes, append(o.darkNotes(), o.strangers(c)...)...)
		subject.DependsOn, subject.Source = o.dependencies(c, snap.Containers), o.sourceOf(c)
		if s != nil {
			subject.Fingerprint = s.Fingerprint(r.Declared())
		}
		p.Subjects = append(p.Subjects, subject)
	}
	return nil
}

func subjectOf(c dropcap.Container, original recreate.Original, r *recreate.Recipe, f *planFlags) plan.Subject {
	return plan.Subject{
		Container: c, Inspect: original.Inspect, Notes: r.Warnings(), Goes: r.Deprivileged(), Unsaid: r.Unsaid(),
		Against: func(st dropcap.Strategy) []plan.Refusal { return refusals(r, st, f.discardLayer) },
		Command: func(g dropcap.Grant) plan.Command {
			by := r.Command(g, f.fileOf(c.Name))
			return plan.Command{File: f.fileOf(c.Name), Fetch: by.Fetch, Line: by.Line}
		},
	}
}

// unreadable is a container that nobody can re-create, since the engine's answers about it fail or are not understood.
func unreadable(c dropcap.Container, err error) plan.Subject {
	if err == nil {
		err = errors.New(c.Unread)
	}
	e := asError(err)
	refusal := plan.Refusal{Slug: "unreadable", Message: oneLine(e.Message), Hint: e.Hint}
	return plan.Subject{Container: c, Against: func(dropcap.Strategy) []plan.Refusal { return []plan.Refusal{refusal} }}
}

func refusals(r *recreate.Recipe, st dropcap.Strategy, discard bool) []plan.Refusal {
	var list []plan.Refusal
	for _, x := range r.Refusals(recreate.Options{Strategy: st, DiscardLayer: discard}) {
		list = append(list, plan.Refusal{Slug: x.Slug, Message: x.Message, Hint: x.Hint})
	}
	return list
}

// fileOf is what a printed command calls the file with a container's environment.
func (f *planFlags) fileOf(name string) string {
	if f.envFile != "" {
		return f.envFile
	}
	return name + ".env"
}

// ownerFilter is our only filter on containers that were not judged.
type ownerFilter []string

func planFilters(list []string) (engine []string, ours ownerFilter, err error) {
	engine, own, err := splitFilters(list)
	if err != nil {
		return nil, nil, err
	}
	for key := range own {
		if key != "owner" {
			return nil, nil, usageError("use docker's filters, or owner=", "cannot plan by the filter %s=: it is of audit", key)
		}
	}
	return engine, own["owner"], nil
}

func (o ownerFilter) keep(list []dropcap.Container) []dropcap.Container {
	if len(o) == 0 {
		return list
	}
	var kept []dropcap.Container
	for _, c := range list {
		for _, kind := range o {
			if c.Owner.Kind == kind {
				kept = append(kept, c)
				break
			}
		}
	}
	return kept
}
