package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// most is how many nodes one command may name (API model of SSM: InstanceIds, max 50).
const most = 50

// exchange gets the receipt of a verb from each of some hosts of a run, or the reason why there is
// none.
type exchange struct {
	*Engine
	run    dropcap.FleetRun
	verb   wire.Verb
	args   wire.Args // for all hosts
	places map[string]dropcap.Place
	gauge  *gauge
	done   func(*dropcap.FleetHost) // a host is done; called by one place at a time
	note   func(string)             // what the exchange waits for; likewise
}

// exchange returns an exchange for a run, or an error if no host would accept its arguments.
func (e *Engine) exchange(run dropcap.FleetRun,
	places map[string]dropcap.Place) (*exchange, error) {
	x := &exchange{Engine: e, run: run, places: places}
	x.verb, _ = wire.Lookup(run.Verb)
	var err error
	if x.args, err = wire.ParseArgs(run.Verb, run.Args); err != nil {
		return nil, fmt.Errorf("cannot send run %s: %w", run.ID, err)
	}
	return x, nil
}

// gauge counts, over all places of an exchange, the hosts being asked and those that have failed.
type gauge struct {
	mu           sync.Mutex
	flying, most int // 0: no limit
	errors, bear int // more than bear errors end the sending; bear < 0: no limit
}

func (g *gauge) take(want int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bear >= 0 && g.errors > g.bear {
		return 0
	}
	if g.most > 0 {
		want = min(want, g.most-g.flying)
	}
	want = max(want, 0)
	g.flying += want
	return want
}

// hold counts a host that is already being asked.
func (g *gauge) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying++
}

func (g *gauge) through(failed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying--
	if failed {
		g.errors++
	}
}

func (g *gauge) exceeded() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bear >= 0 && g.errors > g.bear
}

// fetch asks the hosts that are not done, each place concurrently. Hosts that were never asked
// because too many had failed stay as they are. The error is the controller's own: its store, its
// credentials, an interrupt.
func (x *exchange) fetch(ctx context.Context, hosts []*dropcap.FleetHost) error {
	byPlace := map[string][]*task{}
	for _, h := range hosts {
		t := x.task(h)
		if t.next == over {
			continue
		}
		if t.began {
			t.held = true
			x.gauge.hold()
		}
		byPlace[t.place.String()] = append(byPlace[t.place.String()], t)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	var mu sync.Mutex
	var first error
	for _, tasks := range byPlace {
		group.Go(func() {
			r := &round{exchange: x, tasks: tasks, mu: &mu}
			if err := r.serve(ctx); err != nil {
				stop()
				mu.Lock()
				defer mu.Unlock()
				if first == nil || errors.Is(first, context.Canceled) {
					first = err
				}
			}
		})
	}
	group.Wait()
	return first
}

// round is the exchange with one place: a loop that sends what is due, polls commands that are due,
// and sleeps.
type round struct {
	*exchange
	tasks    []*task
	commands []*sent
	lastNote time.Time   // when the last message about awaited hosts was
	mu       *sync.Mutex // over done and the ledger's order
}

// sent is a command that is out.
type sent struct {
	dropcap.NodeCommand
	id       string
	at, due  time.Time
	looked   time.Time // when it was last polled
	polls    int
	beside   bool             // it asks for receipts in parallel to awaited commands
	fetched  map[string]bool  // by node: it has the command
	ofTarget map[string]*task // by node, of those whose answer is awaited
}

func (r *round) serve(ctx context.Context) error {
	for r.lastNote = r.Clock.Now(); ; r.say() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.dispatch(ctx); err != nil {
			return err
		}
		if err := r.look(ctx); err != nil {
			return err
		}
		wait, ok := r.wait()
		if !ok {
			return nil
		}
		if err := r.Clock.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// wait returns for how long there is nothing to do; false if nothing is left.
func (r *round) wait() (time.Duration, bool) {
	now, next := r.Clock.Now(), time.Time{}
	soonest := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, c := range r.commands {
		soonest(c.due)
	}
	for _, t := range r.tasks {
		switch {
		case t.next == toSend && r.gauge.exceeded():
			continue // never to be asked
		case t.next == toSend || t.next == toAsk || t.next == toEnd:
			soonest(later(t.due, now.Add(r.Pace.Poll/4)))
		}
	}
	return min(max(next.Sub(now), 0), r.Pace.Say), !next.IsZero()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// dispatch sends what is due, batched for nodes that get the same.
func (r *round) dispatch(ctx context.Context) error {
	now := r.Clock.Now()
	for _, kind := range []step{toAsk, toEnd, toSend} {
		byOffset := map[int][]*task{}
		for _, t := range r.tasks {
			if t.next == kind && !t.due.After(now) {
				byOffset[t.part.End()] = append(byOffset[t.part.End()], t)
			}
		}
		for _, tasks := range byOffset {
			for batch := range slices.Chunk(tasks, most) {
				if kind == toSend {
					batch = batch[:r.allowed(batch)]
				}
				if len(batch) == 0 {
					continue
				}
				if err := r.send(ctx, batch, kind); err != nil {
					return err
				}
			}
		}
	}
	return r.askBeside(ctx)
}

// allowed returns how many of a batch may be sent to: first those that are already being asked,
// then as many as the limit allows.
func (r *round) allowed(batch []*task) int {
	if r.gauge.exceeded() {
		return 0 // one that has not got its request is not told again either
	}
	slices.SortStableFunc(batch, func(a, b *task) int { return order(b.held) - order(a.held) })
	held := 0
	for held < len(batch) && batch[held].held {
		held++
	}
	n := held + r.gauge.take(len(batch)-held)
	for _, t := range batch[held:n] {
		t.held = true
	}
	return n
}

func order(b bool) int {
	if b {
		return 1
	}
	return 0
}

// command returns the command for hosts that get the same.
func (r *round) command(batch []*task, kind step, offset int) (dropcap.NodeCommand, error) {
	q := wire.Request{Verb: r.verb, ID: batch[0].host.Request, Args: r.args, Offset: offset,
		Whole: r.Transport.Bucket != "", Wait: r.verb.Wait}
	if r.run.Request != "" {
		q.ID, q.Each = r.run.Request, true
	}
	switch kind {
	case toSend:
		q.Offset = 0
		for _, t := range batch {
			q.Plans = append(slices.Clone(q.Plans), t.args.Plans...)
		}
	default:
		q.Verb, _ = wire.Lookup(map[bool]string{false: "receipt", true: "recover"}[kind == toEnd])
		q.Args, q.Wait = wire.Args{Of: []string{q.ID}}, q.Verb.Wait
	}
	c := dropcap.NodeCommand{
		Place: batch[0].place, Verb: q.Verb.Name, Request: q.ID, Args: q.Words(),
		Comment: "dropcap " + r.run.Verb + " " + r.run.ID, Delivery: r.Pace.Delivery,
		Execution: r.Pace.Execution,
	}
	if r.Transport.Bucket != "" {
		c.Bucket, c.Prefix = r.Transport.Bucket, r.Transport.Prefix
	}
	for _, t := range batch {
		c.Nodes = append(c.Nodes, t.node)
	}
	return r.Transport.fill(c)
}

// send sends one command. It is recorded before, so that another controller knows that something
// may have arrived.
func (r *round) send(ctx context.Context, batch []*task, kind step) error {
	c, err := r.command(batch, kind, batch[0].part.End())
	if err != nil {
		return err
	}
	if kind == toSend {
		for _, t := range batch {
			t.host.Sent++
		}
		if err := r.keep(ctx, batch); err != nil {
			return err
		}
	}
	id, err := r.Carrier.Send(ctx, c)
	now := r.Clock.Now()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, dropcap.ErrTemporary):
		// It may have taken effect: the hosts know.
		for _, t := range batch {
			t.began = t.began || kind == toSend
			t.again(r.Engine, "the command could not be sent ("+printable.Line(err.Error())+")")
			r.settle(t)
		}
		return r.keep(ctx, batch)
	case err != nil:
		return r.refused(ctx, batch, err)
	}
	r.out(c, id, batch)
	for _, t := range batch {
		t.next, t.began, t.word = flying, t.began || kind == toSend, ""
		if t.sign.IsZero() {
			t.sign, t.since = now, now
		}
	}
	return r.keep(ctx, batch)
}

// out records a command that is out.
func (r *round) out(c dropcap.NodeCommand, id string, batch []*task) *sent {
	now := r.Clock.Now()
	s := &sent{NodeCommand: c, id: id, at: now, due: now.Add(r.Pace.Poll),
		ofTarget: map[string]*task{}, fetched: map[string]bool{}}
	for _, t := range batch {
		t.host.Commands = append(t.host.Commands, id)
		s.ofTarget[t.node] = t
	}
	r.commands = append(r.commands, s)
	return s
}

// refused handles a command that the service refused. One unknown node makes it fail for all: then
// each is tried alone.
func (r *round) refused(ctx context.Context, batch []*task, err error) error {
	if errors.Is(err, dropcap.ErrDenied) {
		return err
	}
	if len(batch) > 1 {
		for _, t := range batch {
			if err := r.send(ctx, []*task{t}, t.next); err != nil {
				return err
			}
		}
		return nil
	}
	var e *dropcap.Error
	hint := ""
	if errors.As(err, &e) {
		hint = e.Hint
	}
	if batch[0].began {
		batch[0].lost(printable.Line(err.Error()), hint)
	} else {
		batch[0].end("refused", printable.Line(err.Error())+"; nothing was done there", hint)
	}
	r.settle(batch[0])
	return r.keep(ctx, batch)
}

func (r *round) keep(ctx context.Context, batch []*task) error {
	hosts := make([]dropcap.FleetHost, len(batch))
	for i, t := range batch {
		hosts[i] = *t.host
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Ledger.SaveHosts(context.WithoutCancel(ctx), r.run.ID, hosts)
}

// settle counts a host that is done.
func (r *round) settle(t *task) {
	if t.next != over {
		return
	}
	r.gauge.through(Bad(*t.host))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil {
		r.done(t.host)
	}
}
