package host

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/owner"
	"dropcap/internal/plan"
	"dropcap/internal/recreate"
	"dropcap/internal/snapshot"
	"dropcap/internal/store"
)

// retainedIDs are the containers that changes have left behind. A nil store has none.
func retainedIDs(ctx context.Context, s *store.Store) (map[string]bool, error) {
	ids := map[string]bool{}
	if s == nil {
		return ids, nil
	}
	changes, err := s.Changes(ctx)
	for _, c := range changes {
		for _, id := range c.AllRetained() {
			ids[id] = true
		}
	}
	return ids, err
}

// atRest reports whether a container is one that a change has left behind: it uses nothing until a
// backout, which puts what it uses in its place again. One that somebody has started is like any
// other.
func (o *originals) atRest(id string) bool { return o.retained[id] && !o.runs(id) }

// runs reports whether a container ran when it was looked at. One that could not be read is taken
// to.
func (o *originals) runs(id string) bool {
	var b struct{ State struct{ Running bool } }
	return json.Unmarshal(o.raw[id], &b) != nil || b.State.Running
}

// lodgers are the containers that live in a namespace of one: its network, its processes, its ipc;
// and those that link to it.
func (o *originals) lodgers(id string) (ids []string) {
	for _, r := range o.refs {
		if r.ID == id || o.atRest(r.ID) {
			continue
		}
		if slices.ContainsFunc(o.uses[r.ID], func(u recreate.Use) bool {
			other, ok := o.find(u.Container)
			return ok && other == id && (u.Namespace() || u.Kind == "link")
		}) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// dependants are the lodgers of a container, and theirs, each behind all of these that it uses.
func (o *originals) dependants(id string) (ids []string) {
	var visit func(id string)
	seen := map[string]bool{}
	visit = func(at string) {
		if seen[at] {
			return
		}
		seen[at] = true
		for _, l := range o.lodgers(at) {
			visit(l)
		}
		if at != id {
			ids = append(ids, at)
		}
	}
	visit(id)
	slices.Reverse(ids)
	return ids
}

// company reads what is changed together with the containers of the snapshot, and is not among
// them.
func (o *originals) company(ctx context.Context) ([]dropcap.Container, error) {
	known := map[string]bool{}
	for _, c := range o.snap.Containers {
		known[c.ID] = true
	}
	var names []string
	for _, c := range o.snap.Containers {
		for _, id := range o.dependants(c.ID) {
			if !known[id] {
				known[id], names = true, append(names, id)
			}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	more, err := snapshot.Take(ctx, o.h, o.h.Kernel, o.h.Machine,
		snapshot.Query{Names: names, IfPresent: true})
	if err != nil {
		return nil, err
	}
	for i, c := range more.Containers {
		more.Containers[i].Owner = owner.ByUnit(c, o.units.Known)
	}
	return more.Containers, o.readAll(ctx, more.Containers)
}

// together fills in what is changed together with what, once all originals are read.
func (p *Planned) together(q PlanRequest, all []dropcap.Container) {
	o := p.originals
	p.containers, p.groups = map[string]dropcap.Container{}, map[string][]string{}
	for _, c := range all {
		p.containers[c.ID] = c
		if _, ok := p.recipes[c.ID]; ok {
			continue
		}
		if r, err := recreate.Read(o.found[c.ID]); err == nil {
			p.recipes[c.ID] = r
		}
	}
	for i, s := range p.input.Subjects {
		ids := o.dependants(s.Container.ID)
		p.groups[s.Container.ID] = ids
		for _, id := range ids {
			p.input.Subjects[i].Dependants = append(p.input.Subjects[i].Dependants,
				p.dependant(q, s.Container, id))
		}
	}
}

func (p *Planned) dependant(q PlanRequest, provider dropcap.Container,
	id string) plan.Dependant {
	c, ok := p.containers[id]
	r := p.recipes[id]
	if !ok || r == nil {
		err := p.originals.failed[id]
		if err == nil {
			err = errors.New("cannot read it")
		}
		for _, ref := range p.originals.refs {
			if ref.ID == id {
				c.Name = ref.Name
			}
		}
		return plan.Dependant{Container: c, Against: unreadable(c, err).Against("")}
	}
	out := plan.Dependant{Container: c, Notes: r.Warnings(),
		Links:   p.linksWithin(provider.ID, id),
		Against: refusals(r, q.recreation(dropcap.StrategyRecreate, id))}
	p.lodging(q, provider, &out)
	return out
}

// linksWithin reports whether a container links to one of another's group.
func (p *Planned) linksWithin(provider, id string) bool {
	return slices.ContainsFunc(append([]string{provider}, p.groups[provider]...),
		func(other string) bool { return p.originals.links(id, other) })
}

// links reports whether one container links to another.
func (o *originals) links(id, to string) bool {
	return slices.ContainsFunc(o.uses[id], func(u recreate.Use) bool {
		other, ok := o.find(u.Container)
		return ok && other == to && u.Kind == "link"
	})
}

// members are the jobs of what is changed together with a step's container. What the plan changes
// by itself gets that in the same step; the others keep what they are granted.
func (p Planned) members(s dropcap.Step, q ApplyRequest) (list []apply.Job) {
	for _, id := range p.company(s.Container.ID) {
		c, r := p.containers[id], p.recipes[id]
		step := dropcap.Step{Container: dropcap.Target{ID: id, Name: c.Name}, Workload: c.Workload,
			Owner: c.Owner, Strategy: dropcap.StrategyRecreate, Before: r.Grant(), After: r.Grant()}
		if c.Predicted != nil {
			step.Before.Holds, step.After.Holds = *c.Predicted, *c.Predicted
		}
		for _, own := range p.Plan.Steps {
			if own.Container.ID == id && own.Changes() && own.Refused == "" &&
				own.Strategy == dropcap.StrategyRecreate {
				step = own
			}
		}
		list = append(list, apply.Job{Plan: p.Plan.ID, Host: p.Plan.Host.ID, Step: step,
			Gate:     q.Gate,
			Original: p.original[id], Recipe: r,
			Carry: r.Carries(q.recreation(dropcap.StrategyRecreate, id))})
	}
	return list
}

// company are those that are changed in one step with a container: its dependants; what else the
// plan changes that they use too, with its own dependants; and so on. Each is behind all of these
// that it uses.
func (p Planned) company(first string) (ids []string) {
	in := map[string]bool{first: true}
	join := func(id string) {
		in[id] = true
		for _, d := range p.groups[id] {
			in[d] = true
		}
	}
	join(first)
	for range p.Plan.Steps {
		for _, s := range p.Plan.Steps {
			if s.Changes() && s.Refused == "" && s.Strategy == dropcap.StrategyRecreate &&
				!in[s.Container.ID] && slices.ContainsFunc(p.groups[s.Container.ID],
				func(d string) bool { return in[d] }) {
				join(s.Container.ID)
			}
		}
	}
	done := map[string]bool{first: true}
	var visit func(id string)
	visit = func(id string) {
		if done[id] || !in[id] {
			return
		}
		done[id] = true
		for _, u := range p.originals.uses[id] {
			if other, ok := p.originals.find(u.Container); ok && u.Kind != "volumes" {
				visit(other)
			}
		}
		ids = append(ids, id)
	}
	for _, id := range slices.Sorted(maps.Keys(in)) {
		visit(id)
	}
	return ids
}

// isMember reports whether a step is done in an earlier job.
func isMember(jobs []apply.Job, s dropcap.Step) bool {
	return slices.ContainsFunc(jobs, func(j apply.Job) bool {
		return slices.ContainsFunc(j.Members, func(m apply.Job) bool {
			return m.Step.Container.ID == s.Container.ID
		})
	})
}
