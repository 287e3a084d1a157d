package trial

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"dropcap"
	"dropcap/caps"
)

// Runner runs the trials of one process. Begin, Stop and Running may be called from any goroutine
// while Run runs.
type Runner struct {
	k Kernel
	e Engine
	p Keeper
	o Options

	do      chan func() // what the loop is asked to do
	ended   chan struct{}
	seen    chan sight
	probed  chan probed
	stops   chan map[string]string
	writer  *writer
	trials  map[string]*running // by container; the loop's own
	work    context.Context     // of what goes on beside the loop
	asking  bool                // whether somebody wants a trial to stop is being asked
	counted map[uint64]count    // what Counts said some time ago
	totals  map[uint64]uint64   // what it said last
	changed time.Time           // when that last changed
	loss    Loss
	flushed time.Time
}

// count is what the kernel had counted of a cgroup at a time.
type count struct {
	at time.Time
	by map[caps.Cap]uint64
}

// New returns a Runner; nothing is denied before Begin.
func New(k Kernel, e Engine, p Keeper, o Options) *Runner {
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Tell == nil {
		o.Tell = func(dropcap.Trial) {}
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return &Runner{
		k: k, e: e, p: p, o: o, do: make(chan func()), ended: make(chan struct{}),
		seen: make(chan sight), probed: make(chan probed), stops: make(chan map[string]string),
		trials: map[string]*running{}, counted: map[uint64]count{}, totals: map[uint64]uint64{},
		writer: newWriter(p, o),
	}
}

// Run follows the trials until ctx ends; then it ends them all, and writes that down.
func (r *Runner) Run(ctx context.Context) error {
	defer close(r.ended)
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r.work = work
	events, err := r.e.Events(work)
	if err != nil {
		return err
	}
	go r.writer.run(work)
	r.flushed = r.o.Clock.Now()
	err = r.loop(ctx, events)
	for _, t := range r.trials {
		why := "dropcap was told to end"
		if err != nil {
			why = "dropcap could not go on: " + err.Error()
		}
		r.end(t, dropcap.TrialStopped, why)
	}
	return errors.Join(err, r.writer.drain(work))
}

func (r *Runner) loop(ctx context.Context, events <-chan Event) error {
	tick := r.o.Clock.After(tickEvery)
	for {
		select {
		case <-ctx.Done():
			r.look()
			return nil
		case do := <-r.do:
			do()
		case <-r.k.Denied():
			r.look()
		case ev, ok := <-events:
			if !ok {
				return errors.New("the engine's events ended")
			}
			r.on(ev)
		case s := <-r.seen:
			r.saw(s)
		case p := <-r.probed:
			r.probeEnded(p)
		case stops := <-r.stops:
			r.asking = false
			r.stopAsked(stops)
		case <-tick:
			r.tick()
			tick = r.o.Clock.After(tickEvery)
		}
	}
}

// call has the loop do something, and waits for it.
func (r *Runner) call(ctx context.Context, do func()) error {
	done := make(chan struct{})
	select {
	case r.do <- func() { do(); close(done) }:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ended:
		return errors.New("cannot try: the trials of this process have ended")
	}
}

// Begin begins a trial: it looks at the container, runs the probe once, writes the trial down, and
// denies. Run must be running.
func (r *Runner) Begin(ctx context.Context, q Request) (Begun, error) {
	c, err := r.see(ctx, q.Container)
	if err != nil {
		return Begun{}, err
	}
	if err := refusal(c, q); err != nil {
		return Begun{}, err
	}
	if q.Probe.any() {
		if err := r.probeOnce(ctx, c.ID, q.Probe); err != nil {
			return Begun{}, dropcap.Errorf(dropcap.CodeIncomplete,
				"mend the probe: it has to succeed while nothing is denied",
				"cannot try %s: its probe fails already: %w", c.Name, err)
		}
	}
	known, err := r.p.Known(ctx, c.Workload)
	if err != nil {
		return Begun{}, err
	}
	t := r.newTrial(c, q, known)
	if err := r.p.Begin(ctx, t.doc); err != nil {
		return Begun{}, err
	}
	var doc dropcap.Trial
	var refused error
	err = r.call(ctx, func() {
		if refused = r.begin(t); refused == nil {
			doc = t.document(r.o.Clock.Now())
		}
	})
	if err = errors.Join(err, refused); err != nil {
		t.doc.State, t.doc.Because = dropcap.TrialStopped, "nothing was denied: "+err.Error()
		t.doc.Ended, t.doc.Denied = stamp(r.o.Clock.Now()), 0
		return Begun{}, errors.Join(err, r.p.Save(context.WithoutCancel(ctx), t.doc))
	}
	return Begun{doc, t}, nil
}

// refusal says why a container cannot be tried.
func refusal(c Container, q Request) error {
	no := func(hint, format string, args ...any) error {
		return dropcap.Errorf(dropcap.CodeIncomplete, hint, "cannot try "+c.Name+": "+format,
			args...)
	}
	switch {
	case c.Cannot != "":
		return no("", "%s", c.Cannot)
	case (q.Drop & c.Holds).Empty():
		return no("`dropcap explain "+c.Name+"` shows what it holds", "it does not hold %s",
			q.Drop.Short())
	case c.Health == "unhealthy":
		return no("mend it first: a trial could not tell what it breaks",
			"it is unhealthy already")
	case q.For <= 0:
		return dropcap.Errorf(dropcap.CodeUsage, "for example --for 24h", "cannot try for %s",
			q.For)
	}
	return nil
}

// begin is in the loop: it denies from here on.
func (r *Runner) begin(t *running) error {
	if r.trials[t.c.ID] != nil {
		return fmt.Errorf("a trial of %s runs already", t.c.Name)
	}
	if _, loss, err := r.k.Denials(); err == nil {
		t.lossBefore = loss.Elsewhere
	}
	if err := r.k.Expect(t.c.ID, t.doc.Denied); err != nil {
		return errors.Join(err, r.k.Expect(t.c.ID, 0))
	}
	r.trials[t.c.ID] = t
	t.began = r.o.Clock.Now()
	t.doc.Since, t.doc.Until = stamp(t.began), stamp(t.began.Add(t.q.For))
	if t.live {
		t.since, t.turned = t.began, t.began
	}
	t.nextProbe = t.began.Add(min(t.q.Probe.Every, 5*time.Second))
	r.save(t)
	r.ask(t) // it may have started anew since it was looked at
	return nil
}

// Begun is a trial that has begun.
type Begun struct {
	dropcap.Trial // as it was then
	t             *running
}

// Wait waits until the trial is over, and returns it as it was last written down, or should be.
func (b Begun) Wait(ctx context.Context) (dropcap.Trial, error) {
	select {
	case <-b.t.over:
		return b.t.last, nil
	case <-ctx.Done():
		return dropcap.Trial{}, ctx.Err()
	}
}

// Stop ends the trial of a container, if there is one, and says why.
func (r *Runner) Stop(ctx context.Context, container, because string) error {
	return r.call(ctx, func() {
		if t := r.trials[container]; t != nil {
			r.look()
			if r.trials[container] == t {
				r.end(t, dropcap.TrialStopped, because)
			}
		}
	})
}

// Running returns the trials that run.
func (r *Runner) Running(ctx context.Context) (list []dropcap.Trial, err error) {
	err = r.call(ctx, func() {
		for _, t := range r.trials {
			list = append(list, t.document(r.o.Clock.Now()))
		}
	})
	return list, err
}

// newID returns 12 random hexadecimal digits.
func newID() string {
	b := make([]byte, 6)
	rand.Read(b) // never fails (crypto/rand, since Go 1.24)
	return hex.EncodeToString(b)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
