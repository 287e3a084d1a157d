package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// Backout backs out changes, in the given order, and stops at the first that fails. Each has an
// outcome.
func (r *Runner) Backout(ctx context.Context, list []dropcap.Change) []Outcome {
	outcomes := make([]Outcome, 0, len(list))
	var failed error
	for _, known := range list {
		o := Outcome{Change: known}
		switch {
		case ctx.Err() != nil:
			o.Err = interrupted(ctx)
		case failed != nil:
			o.Err = ErrNotTried
		default:
			o.Change, o.Err = r.backout(ctx, known)
			failed = o.Err
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func (r *Runner) backout(ctx context.Context, known dropcap.Change) (dropcap.Change, error) {
	switch known.State {
	case dropcap.Applied, dropcap.NeedsPerson:
	case dropcap.RolledBack, dropcap.BackedOut:
		return known, dropcap.Errorf(dropcap.CodeError, "see `dropcap history`",
			"cannot back out change %s of %s: it was %s already", known.ID, known.Name,
			words(known.State))
	default:
		return known, dropcap.Errorf(dropcap.CodeError, "first `dropcap recover`",
			"cannot back out change %s of %s: it is %s", known.ID, known.Name, words(known.State))
	}
	s, err := r.strategy(known.Strategy)
	if err != nil {
		return known, err
	}
	c, err := r.load(ctx, known)
	if err != nil {
		return known, err
	}
	if err := r.newest(ctx, c); err != nil {
		return known, err
	}
	if err := r.noStrangers(ctx, c); err != nil {
		return known, err
	}
	if err := s.mayBack(ctx, c); err != nil {
		return known, err
	}
	c.Pruned = false // what is retained from now on is the new one
	if err := r.note(ctx, c, "note-backing-out", dropcap.BackingOut); err != nil {
		return known, err
	}
	return r.backedOut(ctx, s, c)
}

// backedOut continues a recorded backout from any state.
func (r *Runner) backedOut(ctx context.Context, s strategy, c *change) (dropcap.Change, error) {
	err := s.back(ctx, c)
	if err == nil {
		if err := r.try(ctx, c, "note-backed-out", dropcap.BackedOut); err != nil {
			return c.Change, dropcap.Errorf(dropcap.CodeError,
				"mend that, then `dropcap recover` writes it down; the old container is in its "+
					"place",
				"cannot write down that %s is backed out: %w", c.Name, plain(err))
		}
		return c.Change, nil
	}
	if stands, unseen := s.stands(ctx, c); unseen == nil && stands {
		c.Because = joined(c.Because, trimCannot(err.Error()))
		r.try(ctx, c, "note-applied", dropcap.Applied)
		return c.Change, dropcap.Errorf(dropcap.CodeError, hintOf(err),
			"cannot back out %s: %w; the new container runs on", c.Name, plain(err))
	}
	return r.person(ctx, c, err)
}

// noStrangers refuses to leave a container, that was made since, with what is gone.
func (r *Runner) noStrangers(ctx context.Context, c *change) error {
	if r.Strangers == nil {
		return nil
	}
	names, err := r.Strangers(ctx, c.Change)
	if err != nil || len(names) == 0 {
		return err
	}
	who := printable.Cut(strings.Join(names, ", "), 200)
	return dropcap.Errorf(dropcap.CodeError, "remove "+who+", back out, and make it anew",
		"cannot back out change %s of %s: %s has come to use its namespaces, or to link to it, "+
			"since then, and would be left with a container that is gone", c.ID, c.Title(), who)
}

// newest refuses to take back what a later change was built on.
func (r *Runner) newest(ctx context.Context, c *change) error {
	all, err := r.Journal.Changes(ctx)
	if err != nil {
		return err
	}
	for _, later := range all { // newest first
		if later.ID == c.ID {
			return nil
		}
		if builtOn(later, c.Change) && (later.State == dropcap.Applied || !later.State.Over()) {
			return dropcap.Errorf(dropcap.CodeError, fmt.Sprintf("first `dropcap backout %s`",
				later.ID),
				"cannot back out change %s of %s: change %s was built on it", c.ID, c.Name,
				later.ID)
		}
	}
	return nil
}

// builtOn reports whether a change began with a container that another change created. What compose
// has only made again, since it lives in the namespaces of another one, does not count: it may be
// made again in any order.
func builtOn(later, c dropcap.Change) bool {
	counts := func(c dropcap.Change, o dropcap.ChangedContainer) bool {
		return c.Strategy != dropcap.StrategySource || !sameGrant(o.Was, o.Is)
	}
	return slices.ContainsFunc(later.Containers(), func(l dropcap.ChangedContainer) bool {
		return slices.ContainsFunc(c.Containers(), func(o dropcap.ChangedContainer) bool {
			return o.After == l.Before && o.After != "" && counts(later, l) && counts(c, o)
		})
	})
}

// mayBackOne refuses where the name belongs to somebody else's container: the owner has made
// another one since.
func (s recreating) mayBackOne(ctx context.Context, c *change) error {
	owner, err := s.look(ctx, c, "look-name", c.Name)
	if err != nil {
		return err
	}
	if owner != nil && owner.Name == c.Name && owner.ID != c.After && owner.ID != c.Before {
		return dropcap.Errorf(dropcap.CodeError,
			"rename or remove that one if you want the former back, then try again",
			"cannot back out change %s: %s is another container now, which was made later", c.ID,
			c.Name)
	}
	return nil
}

// standsOne reports whether the new one is in the place of the old one.
func (s recreating) standsOne(ctx context.Context, c *change) (bool, error) {
	b := &backing{Runner: s.Runner, c: c, hope: s.now().Add(s.patience())}
	ctx = context.WithoutCancel(ctx)
	for {
		old, new, err := b.observe(ctx)
		if err == nil {
			if new != nil && c.After == "" {
				return false, nil
			}
			if c.State != dropcap.BackingOut && c.DowntimeMS == 0 && new.alive() {
				// the journal has not seen the end of it
				c.DowntimeMS = max(0, new.State.StartedAt.Sub(c.when("note-switching")).
					Milliseconds())
			}
			w, err := c.wanted()
			return err == nil && w.stands(old, new) && !s.torn(c), err
		}
		if b.now().After(b.hope) {
			return false, err
		}
		b.sleep(ctx, b.poll())
	}
}

// stands reports whether the new one is in its place and the old one is out of the way.
func (w wanted) stands(old, new *containerState) bool {
	if new == nil || new.Name != w.name || w.ran != new.alive() {
		return false
	}
	return old == nil || !old.alive() && old.HostConfig.RestartPolicy.never() && old.Name != w.name
}

func words(s dropcap.ChangeState) string {
	switch s {
	case dropcap.RolledBack:
		return "rolled back"
	case dropcap.BackedOut:
		return "backed out"
	}
	return string(s)
}

// Prunable returns the changes whose retained container, or kept log, is older than a time and may
// go, newest first.
func Prunable(all []dropcap.Change, before time.Time) []dropcap.Change {
	var list []dropcap.Change
	for _, c := range all {
		ended, err := time.Parse(time.RFC3339, c.Ended)
		if err == nil && (len(c.AllRetained()) > 0 || c.Logged && c.State != dropcap.NeedsPerson) &&
			ended.Before(before) {
			list = append(list, c)
		}
	}
	return list
}

// Prune removes the containers that changes retain, never their volumes. One that runs, or was
// renamed by somebody, is in use and stays.
func (r *Runner) Prune(ctx context.Context, list []dropcap.Change) []Outcome {
	outcomes := make([]Outcome, 0, len(list))
	for _, known := range list {
		o := Outcome{Change: known, Err: interrupted(ctx)}
		if o.Err == nil {
			o.Change, o.Err = r.prune(ctx, &change{Change: known})
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func (r *Runner) prune(ctx context.Context, c *change) (dropcap.Change, error) {
	if len(c.AllRetained()) == 0 {
		c.Logged = false
		return c.Change, r.note(ctx, c, "note-pruned", c.State) // which forgets the log
	}
	c.rejoin()
	for _, m := range c.backwards() {
		if err := r.pruneOne(ctx, m); err != nil {
			return c.Change, err
		}
	}
	c.Pruned = true
	return c.Change, r.note(ctx, c, "note-pruned", c.State)
}

func (r *Runner) pruneOne(ctx context.Context, c *change) error {
	id := c.Retained()
	if id == "" {
		return nil
	}
	s, err := r.look(ctx, c, "look-retained", id)
	if err != nil || s == nil {
		return err
	}
	if s.alive() || s.Name != c.backupName() && s.Name != c.newName() {
		return dropcap.Errorf(dropcap.CodeIncomplete,
			"it is somebody's now: remove it by hand if nobody needs it",
			"cannot remove the container that change %s retained: it is called %s and is %s",
			c.ID, s.Name, s.State.Status)
	}
	_, err = r.do(ctx, c, remove("remove-retained", "remove "+s.Name, id))
	return err
}

// sweep removes new containers that the engine made only after recover had looked for them. They
// have never run.
func (r *Runner) sweep(ctx context.Context) error {
	all, err := r.Journal.Changes(ctx)
	if err != nil {
		return err
	}
	for _, known := range all[:min(len(all), 20)] {
		ended, _ := time.Parse(time.RFC3339, known.Ended)
		if known.State != dropcap.RolledBack || known.Strategy != dropcap.StrategyRecreate ||
			r.now().Sub(ended) > 24*time.Hour {
			continue
		}
		c := &change{Change: known}
		c.rejoin()
		if err := c.each(func(m *change) error { return r.sweepOne(ctx, m) }); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) sweepOne(ctx context.Context, c *change) error {
	if c.After != "" {
		return nil
	}
	s, err := r.look(ctx, c, "look-new", c.newName())
	if err != nil || s == nil || s.began() || s.Name != c.newName() {
		return err
	}
	_, err = r.do(ctx, c, remove("remove-new", "remove the new "+c.Name+", which came late", s.ID))
	return err
}
