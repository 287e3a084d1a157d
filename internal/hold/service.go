package hold

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dropcap"
)

const (
	// every is how often the kernel is compared with the store: what a person changes is done by
	// that person's process, and dates are kept by the kernel.
	every = 30 * time.Second
	// patience and mostPatience are how long the engine may not answer before it is asked again.
	patience     = 100 * time.Millisecond
	mostPatience = 5 * time.Second
	// callLimit is how long one request to the engine may take.
	callLimit = 30 * time.Second
)

// Serve holds until ctx ends. It first makes so what the store says, without any engine, and then
// calls ready: an engine that is started afterwards starts nothing that is not held. connect opens
// the engine, again and again until that works.
func (r *Runner) Serve(ctx context.Context, connect func(context.Context) (Engine, error),
	ready func()) error {
	if err := r.Apply(ctx); err != nil {
		return err
	}
	ready()
	connected := make(chan Engine)
	go dial(ctx, connect, connected)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var engine Engine
	var events <-chan Event
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			r.warn("hold", r.Apply(ctx))
		case engine = <-connected:
			// listening first, so that nothing is made unseen in between
			var err error
			if events, err = engine.Events(ctx); err != nil {
				r.warn("listen to the engine", err)
				go dial(ctx, connect, connected)
				continue
			}
			r.warn("look at all containers", r.survey(ctx, engine))
		case e, ok := <-events:
			if !ok {
				events = nil
				if ctx.Err() == nil {
					go dial(ctx, connect, connected)
				}
				continue
			}
			r.warn("follow the engine", r.follow(ctx, engine, e))
		}
	}
}

// dial connects, and sends the engine.
func dial(ctx context.Context, connect func(context.Context) (Engine, error),
	connected chan<- Engine) {
	for wait := patience; ; wait = min(2*wait, mostPatience) {
		if e, err := connect(ctx); err == nil {
			select {
			case connected <- e:
			case <-ctx.Done():
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (r *Runner) warn(what string, err error) {
	if err != nil {
		r.Warn(fmt.Errorf("%s: %w", what, err))
	}
}

// survey adopts what was made, and abandons what was removed, while nobody listened.
func (r *Runner) survey(ctx context.Context, e Engine) error {
	holds, err := r.Keeper.Running(ctx)
	if err != nil || len(holds) == 0 {
		return err
	}
	call, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	list, err := e.All(call)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, c := range list {
		there[c.ID] = true
	}
	return errors.Join(r.Adopt(ctx, list...),
		r.Abandon(ctx, func(id string) bool { return !there[id] }))
}

func (r *Runner) follow(ctx context.Context, e Engine, ev Event) error {
	switch ev.Action {
	case Created:
		return r.created(ctx, e, ev.ID)
	case Destroyed:
		return r.Abandon(ctx, func(id string) bool { return id == ev.ID })
	case Reconnected:
		return r.survey(ctx, e)
	}
	return nil
}

// created looks at a new container only if there is anything to hold.
func (r *Runner) created(ctx context.Context, e Engine, id string) error {
	holds, err := r.Keeper.Running(ctx)
	if err != nil || len(holds) == 0 {
		return err
	}
	call, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	c, err := e.See(call, id)
	if errors.Is(err, dropcap.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.Adopt(ctx, c)
}
