package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/recreate"
)

// A container whose network, process or ipc namespace others live in, or that others link to, is
// re-created together with them, since they would stay in the namespace of a container that is
// gone, or linked to it. Each member of such a
// group is a change of its own, done by the same code as a single one, but all have one entry in
// the journal, one order, one gate and one way back: what provides a namespace is stopped last and
// started first.

// all are the containers of the change, each as a change: the one that it is named for, then
// those in its namespaces, each behind what it uses. All are in the state of the first.
func (c *change) all() []*change {
	for _, m := range c.members {
		m.ID, m.State, m.begun = c.ID, c.State, c.begun
	}
	return append([]*change{c}, c.members...)
}

func (c *change) backwards() []*change {
	list := c.all()
	slices.Reverse(list)
	return list
}

// first is the change whose entry in the journal this one's is.
func (c *change) first() *change {
	if c.lead != nil {
		return c.lead
	}
	return c
}

// own is the name that an effect or a note of this member's has: the first one's are as they are.
func (c *change) own(name string) string {
	if c.lead == nil {
		return name
	}
	return fmt.Sprintf("%s-%d", name, c.nth)
}

// titled is an effect of this member by its own name.
func (c *change) titled(e dropcap.Effect) dropcap.Effect {
	e.Name = c.own(e.Name)
	return e
}

// join makes a further container a member of the change.
func (c *change) join(o dropcap.ChangedContainer, j *Job) *change {
	m := &change{lead: c, nth: len(c.members) + 2, job: j, gate: c.gate,
		keep: map[string]json.RawMessage{}}
	m.Change = dropcap.Change{
		ID: c.ID, Plan: c.Plan, Host: c.Host, Workload: o.Workload, Name: o.Name,
		Strategy: c.Strategy,
		Before:   o.Before, After: o.After, Was: o.Was, Is: o.Is, State: c.State,
		Started: c.Started, Kept: c.Kept,
	}
	c.members = append(c.members, m)
	return m
}

// joinAll builds the members of a job, which has them at hand.
func (c *change) joinAll(jobs []Job, boot string) {
	for i := range jobs {
		j := &jobs[i]
		o := dropcap.ChangedContainer{Workload: j.Step.Workload, Name: j.Step.Container.Name,
			Before: j.Step.Container.ID, Was: j.Step.Before, Is: j.Step.After}
		c.join(o, j).carryIf(j.Carry, boot)
		c.Others = append(c.Others, o)
		c.describe(o.Before, j.Original.Inspect)
	}
}

// rejoin builds the members that the journal knows.
func (c *change) rejoin() {
	if c.Strategy != dropcap.StrategyRecreate {
		return
	}
	for _, o := range c.Others {
		m := c.join(o, nil)
		for name, text := range c.keep {
			if base, ok := strings.CutSuffix(name, m.own("")); ok {
				m.keep[base] = text
			}
		}
		if old, err := m.original(); err == nil {
			c.describe(o.Before, old.Inspect)
		}
	}
}

func (c *change) describe(id string, inspect json.RawMessage) {
	if c.others == nil {
		c.others = map[string]json.RawMessage{}
	}
	c.others[id] = inspect
}

// gather brings into the entry of the journal what the members have come to.
func (c *change) gather() {
	for i, m := range c.members {
		c.Others[i].Before, c.Others[i].After = m.Before, m.After
		if m.Because != "" && !strings.Contains(c.Because, m.Because) {
			c.Because = joined(c.Because, m.Name+": "+m.Because)
		}
		m.Because = ""
		if log := m.keep[KeepLog]; log != nil && c.keep[KeepLog] == nil {
			c.keep[KeepLog], c.Logged = log, true
		}
	}
}

// kept is all that the journal is to keep.
func (c *change) kept() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, m := range c.all() {
		for name, text := range m.keep {
			out[m.own(name)] = text
		}
	}
	return out
}

// started are the new containers that have to run.
func (c *change) started() (ids []string) {
	if len(c.members) == 0 {
		return c.made()
	}
	for _, m := range c.all() {
		if m.ran() {
			ids = append(ids, m.After)
		}
	}
	return ids
}

// partners are what stands in the places of the containers of the group: the new ones, or the old
// ones, which may have been made again. These have their names by the time that they are linked to.
func (c *change) partners(new bool) recreate.Partners {
	out := recreate.Partners{Namespaces: map[string]string{}, Links: map[string]dropcap.Ref{}}
	for _, m := range c.first().all() {
		o, err := m.original()
		if err != nil {
			continue
		}
		was, err := read(o.Inspect)
		switch {
		case err != nil:
		case new:
			out.Namespaces[was.ID] = m.After
			out.Links[was.Name] = dropcap.Ref{ID: m.After, Name: m.newName()}
		default:
			out.Namespaces[was.ID] = m.Before
		}
	}
	return out
}

// point builds the recipe of the new container, which lives in the namespaces of the new ones.
func (c *change) point() error {
	if c.lead == nil {
		return nil
	}
	recipe, err := recreate.Read(c.job.Original.Pointing(c.partners(true)))
	c.pointing = recipe
	return err
}

// blueprint is the recipe of the new container.
func (c *change) blueprint() *recreate.Recipe {
	if c.pointing != nil {
		return c.pointing
	}
	return c.job.Recipe
}

// phase is when in a switch an effect of a member has its turn: all are stopped, then each new one
// is brought all that its old one had, then they are put aside and replaced, then started. So
// whoever has his name holds all.
func phase(effect string) int {
	switch effect {
	case "stop-old":
		return 0
	case "carry-rest":
		return 1
	case "start-new":
		return 3
	}
	return 2
}

// inOrder does something for each effect of a switch.
func (s recreating) inOrder(c *change, id func(*change) string,
	do func(m *change, old *containerState, e dropcap.Effect) error) error {
	for turn := range 4 {
		order := c.all()
		if turn == 0 {
			order = c.backwards()
		}
		for _, m := range order {
			old, err := read(m.job.Original.Inspect)
			if err != nil {
				return err
			}
			for _, e := range s.switching(m, old, id(m)) {
				if phase(e.Name) != turn {
					continue
				}
				if err := do(m, old, e); err != nil {
					return m.named(err)
				}
			}
		}
	}
	return nil
}

// named says of which container of the group an error is.
func (c *change) named(err error) error {
	if c.lead == nil || err == nil || codeOf(err) == dropcap.CodeInterrupt {
		return err
	}
	return dropcap.Errorf(codeOf(err), hintOf(err), "%s: %w", c.Name, plain(err))
}

// each does something for all members, until one fails.
func (c *change) each(do func(*change) error) error {
	for _, m := range c.all() {
		if err := do(m); err != nil {
			return m.named(err)
		}
	}
	return nil
}

// back brings the old ones back: all new ones are stopped first, those in others' namespaces before
// these, and then each old one gets its place, in the order in which they are started.
func (s recreating) back(ctx context.Context, c *change) error {
	ctx = context.WithoutCancel(ctx) // whoever has had enough is not helped by half a way
	if len(c.members) == 0 {
		return s.backOne(ctx, c)
	}
	for _, m := range c.backwards() {
		b := &backing{Runner: s.Runner, c: m}
		_, new, err := b.observe(ctx)
		if err == nil && new.alive() { // what fails here is done below, where it is insisted on
			_, _ = s.do(ctx, m, stop("stop-new", "stop the new "+m.Name, new.ID, new.grace()))
		}
	}
	pruned := true
	for _, m := range c.all() {
		if err := s.backOne(ctx, m); err != nil {
			return m.named(err)
		}
		pruned = pruned && m.Pruned
	}
	if c.State == dropcap.BackingOut {
		c.Pruned = pruned
	}
	return s.reach(ctx, c)
}

// reach restarts an old container that runs since before what provides its namespace was started:
// it is in the namespace of a life that is over.
func (s recreating) reach(ctx context.Context, c *change) error {
	apart, err := s.apart(ctx, c, func(m *change) string { return m.Before })
	if err != nil {
		return err
	}
	for _, m := range apart {
		if _, err := s.do(ctx, m, restart(m.Name, m.Before)); err != nil {
			return m.named(err)
		}
	}
	return nil
}

// apart are the members that run since before what they live in was started.
func (s recreating) apart(ctx context.Context, c *change,
	id func(*change) string) (out []*change, err error) {
	since := map[string]time.Time{}
	current := map[string]string{}
	for _, m := range c.all() {
		now, err := s.patiently(ctx, m, "look-member", id(m))
		if err != nil {
			return nil, err
		}
		o, err := m.original()
		if err != nil {
			return nil, err
		}
		was, err := read(o.Inspect)
		if err != nil {
			return nil, err
		}
		current[was.ID], current[was.Name] = id(m), id(m)
		if !now.alive() {
			continue
		}
		since[id(m)] = now.State.StartedAt
		uses, err := recreate.Uses(o.Inspect)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(uses, func(u recreate.Use) bool {
			provider, ok := since[current[u.Container]]
			return u.Namespace() && ok && provider.After(now.State.StartedAt)
		}) {
			out = append(out, m)
			since[id(m)] = s.now()
		}
	}
	return out, nil
}

// stands reports whether the new ones are in the places of the old ones, and live in each other's
// namespaces.
func (s recreating) stands(ctx context.Context, c *change) (bool, error) {
	for _, m := range c.all() {
		if ok, err := s.standsOne(ctx, m); err != nil || !ok {
			return false, err
		}
	}
	if len(c.members) == 0 {
		return true, nil
	}
	apart, err := s.apart(context.WithoutCancel(ctx), c, func(m *change) string { return m.After })
	return len(apart) == 0, err
}

// rest sees to it that all old ones are at rest, before any of them is removed.
func (s recreating) rest(ctx context.Context, c *change) error {
	olds := map[*change]*containerState{}
	if err := c.each(func(m *change) (err error) {
		olds[m], err = s.restOne(ctx, m)
		return err
	}); err != nil {
		return err
	}
	pruned := true
	for _, m := range c.backwards() {
		s.release(ctx, m, olds[m])
		pruned = pruned && m.Pruned
	}
	c.Pruned = pruned
	return nil
}

// mayBack refuses where one of the names belongs to somebody else's container by now.
func (s recreating) mayBack(ctx context.Context, c *change) error {
	return c.each(func(m *change) error { return s.mayBackOne(ctx, m) })
}
