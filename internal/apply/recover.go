package apply

import (
	"context"
	"fmt"

	"dropcap"
)

// Recover brings every change that went on when dropcap ended to its end: forward where the new container stands in its place and passes
// the gate, back in all other cases. It may be called as often as one likes, and be killed anywhere.
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
	switch c.State {
	case dropcap.Switching, dropcap.Checking:
		stands, err := s.stands(ctx, c)
		if err != nil {
			return c.Change, err
		}
		if stands {
			return r.forgiven(r.prove(ctx, s, c))
		}
		return r.forgiven(r.undo(ctx, s, c, fmt.Errorf("dropcap ended before the new container was in its place")))
	case dropcap.BackingOut:
		return r.backedOut(ctx, s, c)
	case dropcap.RollingBack:
		return r.forgiven(r.undo(ctx, s, c, fmt.Errorf("%s", joined(c.Because, "dropcap ended meanwhile"))))
	default:
		return r.forgiven(r.undo(ctx, s, c, fmt.Errorf("dropcap ended before anything was stopped")))
	}
}

// forgiven makes a rollback a success: it is what a recovery is for.
func (r *Runner) forgiven(c dropcap.Change, err error) (dropcap.Change, error) {
	if codeOf(err) == dropcap.CodeRolledBack && c.State == dropcap.RolledBack {
		return c, nil
	}
	return c, err
}
