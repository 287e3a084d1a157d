package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/frame"
	"dropcap/internal/printable"
)

// stands records the service's status of a command on a node, if it is not over.
func (c *sent) stands(t *task, word string) {
	if !c.beside {
		t.word = word
	}
	if word == "InProgress" && !c.fetched[t.node] {
		c.fetched[t.node] = true
		t.sign = c.looked
	}
}

// silent checks the hosts that a command waits for: it gives up nodes that are gone, and requests
// the receipts of others in parallel, since the service waits long for a killed agent, and the host
// may have finished by then. What counts is the status of the last poll.
func (r *round) silent(ctx context.Context, c *sent) error {
	var came []*task
	for _, t := range c.ofTarget {
		switch waited := c.looked.Sub(c.at); {
		case t.gone(r.Engine, c.looked) && t.beside > 0:
			r.forget(t)
			t.giveUp(c.looked)
			r.settle(t)
			came = append(came, t)
		case !c.beside && t.began && !t.asking && waited >= time.Duration(t.beside+1)*r.Pace.Beside:
			t.asking = true
			t.beside++
		}
	}
	if len(came) == 0 {
		return nil
	}
	return r.keep(ctx, came)
}

// askBeside sends the requests that silent schedules. A failure does not matter: the command is
// still out.
func (r *round) askBeside(ctx context.Context) error {
	var list []*task
	for _, t := range r.tasks {
		if t.next == flying && t.asking && !r.besides(t) {
			list = append(list, t)
		}
	}
	for batch := range slices.Chunk(list, most) {
		c, err := r.command(batch, toAsk, 0) // from its beginning
		if err != nil {
			return err
		}
		id, err := r.Carrier.Send(ctx, c)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, dropcap.ErrDenied):
			return err
		case err != nil:
			for _, t := range batch {
				t.asking = false
			}
			continue
		}
		r.out(c, id, batch).beside = true
		if err := r.keep(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// besides reports whether a parallel request to a host is out.
func (r *round) besides(t *task) bool {
	return slices.ContainsFunc(r.commands, func(c *sent) bool {
		return c.beside && c.ofTarget[t.node] == t
	})
}

// forget removes a host from all commands.
func (r *round) forget(t *task) {
	t.asking = false
	for _, c := range r.commands {
		if c.ofTarget[t.node] == t {
			delete(c.ofTarget, t.node)
		}
	}
	r.commands = slices.DeleteFunc(r.commands, func(c *sent) bool {
		return len(c.ofTarget) == 0 && c.polls > 0
	})
}

// news reports whether a parallel answer makes waiting for the command unnecessary.
func (t *task) news(o dropcap.NodeOutput) bool {
	part, err := frame.Find(o.Stdout)
	if err != nil || part.Offset != 0 {
		return false
	}
	if part.Complete() {
		r, err := receiptIn(part)
		if err != nil || t.own(r) != nil || !r.State.Over() && !(r.Recovery && t.verb.Changes) {
			return false
		}
	}
	t.part = frame.Part{}
	return true
}

// maxNamed is how many of the awaited hosts are named.
const maxNamed = 3

// say reports from time to time which hosts are awaited, and since when.
func (r *round) say() {
	now := r.Clock.Now()
	if r.note == nil || now.Sub(r.lastNote) < r.Pace.Say {
		return
	}
	r.lastNote = now
	var named []string
	waits, turn := 0, 0
	for _, t := range r.tasks {
		switch {
		case t.next == over:
		case t.next == toSend && t.host.Sent == 0:
			turn++
		default:
			if waits++; len(named) < maxNamed {
				named = append(named, t.node+" "+t.waiting(now))
			}
		}
	}
	if waits == 0 {
		return
	}
	if waits > len(named) {
		named = append(named, fmt.Sprintf("and %d more", waits-len(named)))
	}
	if turn > 0 {
		named = append(named, fmt.Sprintf("%s to be asked yet", printable.Count(turn, "host")))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(fmt.Sprintf("waiting for %d of %s in %s: %s", waits,
		printable.Count(len(r.tasks), "host"), r.tasks[0].place, strings.Join(named, "; ")))
}

// waiting says why a host is awaited, and since when.
func (t *task) waiting(now time.Time) string {
	ago := func(at time.Time) string {
		return now.Sub(at).Round(time.Second).String() + " (since " + at.UTC().Format("15:04:05Z") +
			")"
	}
	switch {
	case t.host.Receipt != nil && t.host.Receipt.Recovery:
		return "was interrupted, and is to recover, for " + ago(t.since)
	case t.host.Receipt != nil && !t.host.Receipt.State.Over():
		return "is at work, by its own word, for " + ago(t.since)
	case t.next != flying:
		return "gave no whole answer, and is asked again, for " + ago(t.since)
	case t.word == "InProgress":
		return "fetched the command, and has not answered for " + ago(t.sign)
	}
	return "has not fetched the command for " + ago(t.sign)
}
