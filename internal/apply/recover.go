package apply

import (
	"context"
	"fmt"
	"time"

	"dropcap"
)

// Recover finishes every change that was in progress when dropcap ended: forward if the new
// container is in place and passes the gate, else back. It may be called any number of times, and
// be killed anywhere.
func (r *Runner) Recover(ctx context.Context) ([]Outcome, error) {
	list, err := r.Journal.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	var outcomes []Outcome
	for _, known := range list {
		if err := interrupted(ctx); err != nil {
			return outcomes, err
		}
		c, err := r.load(ctx, known)
		if err != nil {
			return outcomes, err
		}
		o := Outcome{}
		o.Change, o.Err = r.recover(ctx, c)
		outcomes = append(outcomes, o)
	}
	return outcomes, r.sweep(ctx)
}

// recover decides from the journal and the engine's state alone.
func (r *Runner) recover(ctx context.Context, c *change) (dropcap.Change, error) {
	s, err := r.strategy(c.Strategy)
	if err != nil {
		return c.Change, err
	}
	r.log("%s: change %s was %s when dropcap ended", c.Name, c.ID, c.State)
	err = r.settle(ctx, c)
	if place, ok := s.(inPlacing); ok && err != nil && place.wake(ctx, c) {
		err = r.settle(ctx, c)
	}
	if err != nil {
		return c.Change, err
	}
	switch c.State {
	case dropcap.Switching, dropcap.Checking:
		stands, err := s.stands(ctx, c)
		if err != nil {
			return c.Change, err
		}
		if stands {
			return r.forgiven(r.prove(ctx, s, c))
		}
		return r.forgiven(r.undo(ctx, s, c,
			fmt.Errorf("dropcap ended before the new container was in its place")))
	case dropcap.BackingOut:
		return r.backedOut(ctx, s, c)
	case dropcap.RollingBack:
		return r.forgiven(r.undo(ctx, s, c,
			fmt.Errorf("%s", joined(c.Because, "dropcap ended meanwhile"))))
	default:
		return r.forgiven(r.undo(ctx, s, c,
			fmt.Errorf("dropcap ended before anything was stopped")))
	}
}

// still is for how long nothing must move before anything is decided: what dropcap asked for last
// may still be under way in the engine. (A stop, which may take longer than this, is waited for on
// the way back.)
const still = 2 * time.Second

// settle waits until the containers have not changed for a while, and the engine answers.
func (r *Runner) settle(ctx context.Context, c *change) error {
	b := &backing{Runner: r, c: c}
	ctx = context.WithoutCancel(ctx)
	var last string
	since, hope := r.now(), r.now().Add(r.patience())
	for {
		old, new, err := b.observe(ctx)
		others := ""
		if err == nil {
			others, err = r.whereOthers(ctx, c)
		}
		switch now := where(old) + " " + where(new) + others; {
		case err != nil && r.now().After(hope):
			return err
		case err != nil || now != last:
			last, since = now, r.now()
		case r.now().Sub(since) >= still || r.now().After(hope.Add(still)):
			return nil
		}
		r.sleep(ctx, r.poll())
	}
}

// whereOthers is where the further containers of a change are.
func (r *Runner) whereOthers(ctx context.Context, c *change) (string, error) {
	out := ""
	for _, o := range c.Others {
		for _, id := range []string{o.Before, o.After} {
			if id == "" {
				continue
			}
			s, err := r.look(ctx, c, "look-other", id)
			if err != nil {
				return "", err
			}
			out += " " + where(s)
		}
	}
	return out, nil
}

// where is all of a container that a change moves.
func where(s *containerState) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%s %s %s %s %v", s.ID, s.Name, s.State.Status,
		s.HostConfig.RestartPolicy.Name, s.State.StartedAt)
}

// forgiven makes a rollback a success: it is what a recovery is for.
func (r *Runner) forgiven(c dropcap.Change, err error) (dropcap.Change, error) {
	if codeOf(err) == dropcap.CodeRolledBack && c.State == dropcap.RolledBack {
		return c, nil
	}
	return c, err
}
