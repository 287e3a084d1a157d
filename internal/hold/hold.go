// Package hold keeps capabilities from the containers of workloads, by the kernel's denial, until a
// date or until somebody releases them: also from containers that are made later, and after
// restarts of everything. What the store says is what is denied: it is written down before the
// kernel is told, and the kernel is told again whatever it has forgotten. It never denies what the
// store does not name, and never touches a container.
package hold

import (
	"context"
	"errors"
	"slices"
	"time"

	"dropcap"
	"dropcap/caps"
)

// Kernel denies, and goes on when this process ends.
type Kernel interface {
	// ExpectUntil denies a set to the container of that id, from its own program's first check on,
	// in each cgroup that it has and will have; the empty set lifts. The zero time has no end.
	ExpectUntil(container string, s caps.Set, until time.Time) error
	// Expected returns what is denied so, by container.
	Expected() (map[string]caps.Set, error)
	// Exclusively calls f while no other process does so.
	Exclusively(f func() error) error
}

// Engine is the part of a container engine that holds need.
type Engine interface {
	// Events sends what happens to containers until ctx ends. The error is that of the first
	// connection; a lost connection is restored, and told as Reconnected.
	Events(ctx context.Context) (<-chan Event, error)
	// All returns all containers, running or not.
	All(ctx context.Context) ([]Container, error)
	// See returns one. The error is dropcap.ErrNotFound if it is gone.
	See(ctx context.Context, id string) (Container, error)
}

// Event is something that happened to a container.
type Event struct{ Action, ID string }

// The actions that matter here.
const (
	Created     = "create"
	Destroyed   = "destroy"
	Reconnected = "reconnected"
)

// Container is a container as far as holds need it. Its workload must not be what an image claims.
type Container struct{ ID, Name, Workload, Revision string }

// Keeper keeps holds.
type Keeper interface {
	// Running returns the holds that run.
	Running(ctx context.Context) ([]dropcap.Trial, error)
	// Edit changes a hold, durably, in one transaction. One that is over is left as it is.
	Edit(ctx context.Context, id string, edit func(*dropcap.Trial)) error
}

// Runner keeps the kernel to what the keeper has.
type Runner struct {
	Kernel Kernel
	Keeper Keeper
	Now    func() time.Time
	Warn   func(error) // what does not end a service
	Say    func(string, ...any)
}

// Wanted returns what holds deny at a time, by container.
func Wanted(holds []dropcap.Trial) map[string]caps.Set {
	out := map[string]caps.Set{}
	for _, t := range holds {
		for _, id := range t.Containers {
			if !t.State.Over() && !t.Denied.Empty() {
				out[id] |= t.Denied
			}
		}
	}
	return out
}

// Until returns when a hold ends by itself; the zero time if it does not.
func Until(t dropcap.Trial) time.Time {
	at, err := time.Parse(time.RFC3339, t.Until)
	if err != nil {
		return time.Time{}
	}
	return at
}

// Apply ends the holds whose time is over, and tells the kernel what it does not know. It is what
// makes anything so, and may be called at any time, by any process.
func (r *Runner) Apply(ctx context.Context) error {
	return r.Kernel.Exclusively(func() error {
		holds, err := r.Keeper.Running(ctx)
		if err != nil {
			return err
		}
		if holds, err = r.expire(ctx, holds); err != nil {
			return err
		}
		return r.tell(holds)
	})
}

func (r *Runner) expire(ctx context.Context, holds []dropcap.Trial) (left []dropcap.Trial,
	err error) {
	now := r.Now()
	for _, t := range holds {
		if end := Until(t); end.IsZero() || now.Before(end) {
			left = append(left, t)
			continue
		}
		if err := r.Keeper.Edit(ctx, t.ID, func(t *dropcap.Trial) {
			Over(t, dropcap.TrialExpired, "its time was over", Until(*t))
		}); err != nil {
			return nil, err
		}
		r.Say("hold %s of %s ended: its time was over", t.ID, t.Workload)
	}
	return left, nil
}

// Over ends a hold.
func Over(t *dropcap.Trial, state dropcap.TrialState, because string, at time.Time) {
	t.State, t.Because, t.Denied = state, because, 0
	t.Ended = at.UTC().Format(time.RFC3339)
	if since, err := time.Parse(time.RFC3339, t.Since); err == nil {
		t.Seconds = max(0, int64(at.Sub(since).Seconds()))
	}
}

// tell denies what is missing before it lifts what is too much.
func (r *Runner) tell(holds []dropcap.Trial) error {
	known, err := r.Kernel.Expected()
	if err != nil {
		return err
	}
	want := Wanted(holds)
	for id, s := range want {
		if known[id] != s {
			err = errors.Join(err, r.Kernel.ExpectUntil(id, s, untilOf(holds, id)))
		}
	}
	for id := range known {
		if want[id].Empty() {
			err = errors.Join(err, r.Kernel.ExpectUntil(id, 0, time.Time{}))
		}
	}
	return err
}

// untilOf returns when the last hold of a container ends.
func untilOf(holds []dropcap.Trial, id string) (last time.Time) {
	for _, t := range holds {
		if !slices.Contains(t.Containers, id) {
			continue
		}
		end := Until(t)
		if end.IsZero() {
			return end
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

// Adopt adds a container to the holds of its workload, and tells the kernel. It is called before
// the container is started, where that can be.
func (r *Runner) Adopt(ctx context.Context, list ...Container) error {
	holds, err := r.Keeper.Running(ctx)
	if err != nil {
		return err
	}
	adopted := false
	for _, t := range holds {
		var fresh []Container
		for _, c := range list {
			if c.Workload == t.Workload && !slices.Contains(t.Containers, c.ID) {
				fresh = append(fresh, c)
			}
		}
		if len(fresh) == 0 {
			continue
		}
		adopted = true
		if err := r.Keeper.Edit(ctx, t.ID, func(t *dropcap.Trial) {
			for _, c := range fresh {
				t.Containers = append(t.Containers, c.ID)
				t.Container, t.Name, t.Revision = c.ID, c.Name, c.Revision
			}
		}); err != nil {
			return err
		}
	}
	if !adopted {
		return nil
	}
	return r.Apply(ctx)
}

// Abandon takes containers that are gone out of the holds.
func (r *Runner) Abandon(ctx context.Context, gone func(id string) bool) error {
	holds, err := r.Keeper.Running(ctx)
	if err != nil {
		return err
	}
	left := false
	for _, t := range holds {
		if !slices.ContainsFunc(t.Containers, gone) {
			continue
		}
		left = true
		if err := r.Keeper.Edit(ctx, t.ID, func(t *dropcap.Trial) {
			t.Containers = slices.DeleteFunc(t.Containers, gone)
		}); err != nil {
			return err
		}
	}
	if !left {
		return nil
	}
	return r.Apply(ctx)
}
