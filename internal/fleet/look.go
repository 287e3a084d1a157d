package fleet

import (
	"context"
	"errors"
	"slices"
	"time"

	"dropcap"
)

// look polls the commands that are due, and fetches the output of each node that is done: once, as
// a rule.
func (r *round) look(ctx context.Context) error {
	for _, c := range slices.Clone(r.commands) {
		if c.due.After(r.Clock.Now()) {
			continue
		}
		c.looked = r.Clock.Now()
		list, err := r.Carrier.Poll(ctx, c.Place, c.id)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, dropcap.ErrDenied):
			return err
		case err == nil:
			if err := r.collect(ctx, c, list); err != nil {
				return err
			}
			if err := r.silent(ctx, c); err != nil {
				return err
			}
		}
		r.next(c)
	}
	return r.expired(ctx)
}

// collect fetches the outputs of nodes that are done.
func (r *round) collect(ctx context.Context, c *sent, list []dropcap.Invocation) error {
	var came []*task
	for _, i := range list {
		t := c.ofTarget[i.Node]
		if t == nil {
			continue
		}
		if !i.Over() {
			c.stands(t, i.Status)
			continue
		}
		o := dropcap.NodeOutput{Status: i.Status, Exit: -1}
		if printed(i.Status) {
			var err error
			o, err = r.Carrier.Output(ctx, c.NodeCommand, c.id, i.Node)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, dropcap.ErrDenied):
				return err
			case errors.Is(err, dropcap.ErrTemporary) && c.polls < r.Pace.Asks:
				continue // at the next poll
			case err != nil:
				o = dropcap.NodeOutput{Status: i.Status, Exit: -1}
			}
		}
		delete(c.ofTarget, i.Node)
		if printed(i.Status) {
			t.sign = c.looked
		}
		if c.beside && !t.news(o) {
			t.asking = false
			continue
		}
		r.forget(t)
		t.answered(r.Engine, o)
		r.settle(t)
		came = append(came, t)
	}
	if len(came) == 0 {
		return nil
	}
	return r.keep(ctx, came)
}

// printed reports whether the service may have output of a node with that status.
func printed(status string) bool {
	switch status {
	case "Undeliverable", "InvalidPlatform", "Terminated", "DeliveryTimedOut", "AccessDenied":
		return false
	}
	return true
}

// next schedules the next poll of a command: at growing intervals, since each poll is a request. A
// finished command is forgotten.
func (r *round) next(c *sent) {
	if len(c.ofTarget) == 0 {
		r.commands = slices.DeleteFunc(r.commands, func(o *sent) bool { return o == c })
		return
	}
	c.polls++
	wait := r.Pace.Poll
	for i := 0; i < c.polls && wait < 10*r.Pace.Poll; i++ {
		wait = wait * 3 / 2
	}
	c.due = r.Clock.Now().Add(min(wait, 10*r.Pace.Poll))
}

// expired returns up commands whose end the service should have known long ago.
func (r *round) expired(ctx context.Context) error {
	for _, c := range slices.Clone(r.commands) {
		// Among thousands, the last poll may be long ago: what counts is its status then.
		if c.looked.Sub(c.at) < c.Delivery+c.Execution+time.Minute {
			continue
		}
		var came []*task
		for _, t := range c.ofTarget {
			if c.beside {
				t.asking = false
				continue
			}
			t.again(r.Engine, "the service does not tell how the command ended")
			r.settle(t)
			came = append(came, t)
		}
		clear(c.ofTarget)
		r.next(c)
		if err := r.keep(ctx, came); err != nil {
			return err
		}
	}
	return nil
}
