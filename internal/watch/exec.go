package watch

import (
	"context"
	"errors"
	"fmt"

	"dropcap"
	"dropcap/caps"
)

// The bounds of what is asked about execs: health checks are execs too, of which there are many.
const (
	mostExecs   = 1024 // that wait
	execsAtOnce = 4
)

type execAsked struct{ container, exec string }

type execAnswer struct {
	execAsked
	found dropcap.Exec
	err   error
}

// exec asks what a docker exec may do. The engine knows it also when it is over already. Where it
// has no id, or too many wait, the container's processes are looked at instead.
func (r *watching) exec(ctx context.Context, ev Event) {
	if ev.Exec == "" {
		r.want(map[string]how{ev.ID: asFound})
		return
	}
	select {
	case r.execs <- execAsked{ev.ID, ev.Exec}:
		r.askExecs(ctx)
	default:
		r.want(map[string]how{ev.ID: asFound})
	}
}

// askExecs starts as many questions as may be under way.
func (r *watching) askExecs(ctx context.Context) {
	if r.asking >= execsAtOnce {
		return
	}
	r.asking++
	r.beside.Go(func() {
		for {
			select {
			case x := <-r.execs:
				found, err := r.w.Exec(ctx, x.exec)
				select {
				case r.answers <- execAnswer{x, found, err}:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	})
}

// answered tells of an exec that holds more than its container is granted: a privileged one holds
// all that the engine can grant, any other what the container is granted (moby
// daemon/exec_linux.go).
func (r *watching) answered(a execAnswer) {
	c, known := r.names[a.container]
	switch {
	case errors.Is(a.err, dropcap.ErrNotFound) || errors.Is(a.err, context.Canceled):
		return
	case a.err != nil:
		r.want(map[string]how{a.container: asFound})
		return
	case !a.found.Privileged || known && c.Declared.Privileged:
		return
	}
	if !known {
		c = dropcap.Container{ID: a.container}
	}
	r.teller.exec(c, a.exec, r.beyond(c))
}

// beyond returns what a privileged exec holds beyond what its container is granted.
func (r *watching) beyond(c dropcap.Container) caps.Set {
	all := caps.UpTo(caps.Last)
	if r.host.Grantable != nil {
		all = *r.host.Grantable
	}
	if c.Predicted == nil {
		return all
	}
	return all.Minus(*c.Predicted)
}

// exec tells of a docker exec.
func (t *teller) exec(c dropcap.Container, exec string, more caps.Set) {
	if more.Empty() {
		return
	}
	o := of(c, dropcap.OccurrenceExec)
	o.Exec, o.Caps, o.Severity = exec, more, more.Severity().Worse(caps.Medium)
	o.Because = fmt.Sprintf("a `docker exec --privileged` holds %s beyond what the container is "+
		"granted", more.Short())
	o.Beyond = []dropcap.Bound{dropcap.BoundGranted}
	t.tell(o, key(o))
}
