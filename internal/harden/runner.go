package harden

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// Runner carries hardenings on. One goroutine owns it.
type Runner struct {
	World World
	Book  Book
	Now   func() time.Time // in the host's local time
	// Since returns how long ago the last call was, by a clock that does not jump.
	Since func() time.Duration
	Warn  func(error)
	Say   func(format string, args ...any)

	// watched is by workload what is not yet stored of Hardening.Watched, in seconds.
	watched map[string]int64
}

// deedsInARow bounds what is done for one workload before the next one has its turn.
const deedsInARow = 6

// keepEvery is how far a number of seconds moves on before it is stored for its own sake.
const keepEvery = 600

// Round looks once at every hardening that may have something to do, and does it. The error is the
// host's: then nothing was done. due says which are to be looked at; nil: all.
func (r *Runner) Round(ctx context.Context, due func(dropcap.Hardening) bool) error {
	elapsed := r.Since()
	list, err := r.Book.Hardenings(ctx)
	if err != nil {
		return err
	}
	if err := r.World.Refresh(ctx); err != nil {
		return err
	}
	for _, h := range list {
		if ctx.Err() != nil {
			return nil
		}
		if due != nil && !due(h) && h.State != dropcap.HardenWatching {
			continue
		}
		if err := r.one(ctx, h, elapsed); err != nil && ctx.Err() == nil {
			r.Warn(fmt.Errorf("harden %s: %w", printable.Line(h.Workload), err))
		}
	}
	return nil
}

// one carries one hardening on. An error means that it stays as it is stored.
func (r *Runner) one(ctx context.Context, stored dropcap.Hardening, elapsed time.Duration) error {
	var failed error
	for range deedsInARow {
		h := stored
		h.Watched += r.watched[h.Workload]
		next, act, err := r.step(ctx, h, elapsed, failed)
		if err != nil {
			return err
		}
		if err := r.keep(ctx, stored, next); err != nil {
			return err
		}
		if worthKeeping(stored, next) {
			stored = next
		}
		if act.Deed == Nothing || failed != nil && act.Deed == Backout { // not again at once
			return failed
		}
		failed = r.do(ctx, next, act)
		if errors.Is(failed, ErrNotNow) {
			return failed
		}
		if failed == nil && (act.Deed == Try || act.Deed == EndTrial) {
			return nil // it takes its time
		}
		if err := r.World.Refresh(ctx); err != nil {
			return errors.Join(failed, err)
		}
		if ctx.Err() != nil {
			return nil
		}
		elapsed = 0
	}
	return failed
}

// keep stores what has become of a hardening if that is worth it.
func (r *Runner) keep(ctx context.Context, stored, next dropcap.Hardening) error {
	if r.watched == nil {
		r.watched = map[string]int64{}
	}
	if !worthKeeping(stored, next) {
		r.watched[next.Workload] = next.Watched - stored.Watched
		return nil
	}
	if err := r.Book.KeepHardening(ctx, stored, next); err != nil {
		return err
	}
	delete(r.watched, next.Workload)
	if next.State != stored.State || next.Because != stored.Because {
		r.Say("%s: %s: %s", printable.Line(next.Workload), next.State,
			printable.Line(next.Because))
	}
	return nil
}

// step decides, with a plan where one is needed.
func (r *Runner) step(ctx context.Context, h dropcap.Hardening, elapsed time.Duration,
	failed error) (dropcap.Hardening, Action, error) {
	v, err := r.World.Look(ctx, h)
	if err != nil {
		return h, Action{}, err
	}
	v.Elapsed, v.Failed = elapsed, failed
	next, act := Step(r.Now(), h, v)
	if act.Deed != Ask {
		return next, act, nil
	}
	p, err := r.World.Plan(ctx, next)
	if err != nil {
		return h, Action{}, err // it says nothing about the workload: later it may be there
	}
	v.Plan = &p
	next, act = Step(r.Now(), h, v)
	if act.Deed == Ask {
		return h, Action{}, nil
	}
	return next, act, nil
}

// do does what was decided.
func (r *Runner) do(ctx context.Context, h dropcap.Hardening, act Action) error {
	switch act.Deed {
	case Try:
		return r.World.Try(ctx, h, act.Drop)
	case EndTrial:
		return r.World.EndTrial(ctx, h)
	case Restart:
		return r.World.Restart(ctx, h)
	case Change:
		return r.World.Change(ctx, h, act.Drop)
	case Backout:
		return r.World.Backout(ctx, h)
	case Recover:
		return r.World.Recover(ctx)
	}
	return nil
}

// worthKeeping reports whether more has changed than numbers that grow by themselves.
func worthKeeping(was, is dropcap.Hardening) bool {
	for _, n := range [][2]int64{{was.Learned, is.Learned}, {was.Tried, is.Tried},
		{was.Watched, is.Watched}} {
		if n[1] < n[0] || n[1]-n[0] >= keepEvery {
			return true
		}
	}
	is.Learned, is.Tried, is.Watched = was.Learned, was.Tried, was.Watched
	is.Waiting, is.NextAt = was.Waiting, was.NextAt
	if was.Waiting == "" {
		return true
	}
	return !reflect.DeepEqual(was, is)
}
