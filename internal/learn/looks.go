package learn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dropcap"
	"dropcap/caps"
)

// look is a request to the engine about a container. It runs beside the loop: on a busy machine an
// answer takes seconds, and events must not wait for it.
type look struct {
	id  string
	run int // the watched container's run, by number
	why reason
	try int
}

type reason int

const (
	meeting  reason = iota // it was created
	starting               // it runs, or is about to
	settling               // its start is over
	checking               // it is said to run: is it the recorded run?
	lateness               // its files are still to be scanned, for an earlier recording
)

// sight is the result of a look.
type sight struct {
	look
	c             dropcap.Container
	d             Details
	cgroup        uint64
	err           error // c is missing
	blank, astray error // d or the cgroup is missing
}

const (
	looksAtOnce = 8
	mostTries   = 3 // for one container, if the engine fails
)

// looker sends the requests to the engine.
type looker struct {
	ctx      context.Context
	cancel   context.CancelFunc
	e        Engine
	slots    chan struct{}
	observed chan sight
	all      sync.WaitGroup
}

func startLooker(ctx context.Context, e Engine) *looker {
	l := &looker{e: e, slots: make(chan struct{}, looksAtOnce), observed: make(chan sight)}
	l.ctx, l.cancel = context.WithCancel(ctx)
	return l
}

func (l *looker) stop() { l.cancel(); l.all.Wait() }

func (l *looker) ask(k look) {
	l.all.Go(func() {
		select {
		case l.slots <- struct{}{}:
		case <-l.ctx.Done():
			return
		}
		s := l.answer(k)
		<-l.slots
		select {
		case l.observed <- s:
		case <-l.ctx.Done():
		}
	})
}

func (l *looker) answer(k look) (s sight) {
	s.look = k
	if s.c, s.err = see(l.ctx, l.e, k.id); s.err != nil {
		return s
	}
	if s.cgroup, s.astray = 0, dropcap.ErrGone; s.c.Running() {
		s.cgroup, s.astray = l.e.Cgroup(s.c)
	}
	// last, so that its start time is no earlier than what was observed
	s.d, s.blank = l.e.Details(l.ctx, k.id)
	return s
}

// see returns a container with only what is needed later.
func see(ctx context.Context, e Engine, id string) (dropcap.Container, error) {
	c, err := e.See(ctx, id)
	if own, ok := ownSet(c.Kernel.Processes); ok && c.Kernel.Holds() != nil {
		c.Kernel = dropcap.Kernel{Visible: c.Kernel.Visible, WhyNot: c.Kernel.WhyNot, Held: &own}
	}
	c.LabelValues, c.Labels, c.Entrypoint, c.Command, c.Execs, c.Kernel.Processes = nil, nil, nil,
		nil, nil, nil
	return c, err
}

// ownSet returns what the workload itself holds. What docker exec or a healthcheck adds does not
// count: until its exec the runtime's process holds all that the engine does, and a privileged one
// keeps it.
func ownSet(list []dropcap.Process) (own caps.Set, ok bool) {
	for _, p := range list {
		if p.Origin != dropcap.OriginInit && p.Origin != dropcap.OriginChild ||
			p.UserNS == dropcap.UserNSNested {
			continue
		}
		set, err := p.Holds()
		if err != nil {
			return 0, false
		}
		own, ok = own|set, true
	}
	return own, ok
}

func (r *recording) ask(w *watched, why reason) { r.lookAt(look{id: w.id, run: w.run, why: why}) }

func (r *recording) lookAt(k look) {
	r.looks++
	r.lookingAt[k.id]++
	r.looker.ask(k)
}

// awaitLooks waits for all looks under way.
func (r *recording) awaitLooks(ctx context.Context) {
	for r.looks > 0 {
		select {
		case s := <-r.looker.observed:
			r.saw(s)
		case f := <-r.scanner.found:
			r.scanned(f)
		case <-ctx.Done():
			return
		}
	}
}

// saw handles the result of a look.
func (r *recording) saw(s sight) {
	r.looks--
	if r.lookingAt[s.id]--; r.lookingAt[s.id] <= 0 {
		delete(r.lookingAt, s.id)
	}
	w := r.byID[s.id]
	switch {
	case s.why == lateness:
		r.lookLater(s)
	case w == nil:
		r.met(s)
	case s.err != nil:
		r.unseen(s)
	case s.why == settling:
		if s.c.Running() && s.cgroup == w.cgroup && s.run == w.run {
			w.c, w.changed = s.c, true
			w.holds(s.c)
		}
	case s.why == checking:
		if s.astray == nil && w.live && w.run == s.run && w.cgroup != 0 && s.cgroup != w.cgroup {
			r.ended(w, time.Now(), time.Time{})
			r.settle()
			r.begin(w, nil)
		}
	default:
		r.identify(w, s)
	}
}

// met keeps what is known of a container before it starts: one that lives for milliseconds cannot
// be asked about later.
func (r *recording) met(s sight) {
	switch {
	case s.why != meeting || !r.born[s.id]:
	case s.err != nil:
		r.unseen(s)
	case s.blank == nil && len(r.created) < mostCreated:
		r.created[s.id] = created{s.c, s.d}
		r.wantFiles(s.c, s.d)
	}
}

// unseen looks once more if the engine failed.
func (r *recording) unseen(s sight) {
	if errors.Is(s.err, dropcap.ErrNotFound) || s.why == settling || s.why == checking {
		return
	}
	if s.try++; s.try < mostTries {
		r.lookAt(s.look)
		return
	}
	r.q.Warn(fmt.Errorf("look at container %s: %w", s.id[:12], s.err))
}

// identify records what a container is, and in which cgroup its run is.
func (r *recording) identify(w *watched, s sight) {
	if s.why == starting && !w.known && !w.listed.IsZero() && s.astray != nil &&
		errors.Is(s.astray, dropcap.ErrGone) {
		r.drop(w) // it ended before or as the recording began
		return
	}
	if s.blank == nil && (!w.known || s.c.Running()) {
		w.d = s.d
	}
	if w.undecided && s.blank == nil {
		w.undecided = false
		if w.cold = w.run == 1 && !s.d.Ran; w.cold {
			w.source.StartsCold++
		} else {
			w.source.StartsWarm++
		}
	}
	if !w.known || s.c.Running() {
		if k := s.c.Kernel.Holds(); !w.phased && k != nil && s.c.Predicted != nil &&
			!k.Minus(*s.c.Predicted).Empty() {
			// the runtime's own process may still be in it; it is looked at again when the start is
			// over
			s.c.Kernel.Visible = false
		}
		w.c = s.c
		w.holds(w.c)
	}
	w.known, w.changed = true, true
	r.wantFiles(w.c, w.d)
	if s.astray == nil && w.live && s.run == w.run && !s.ofALaterRun(w) && s.cgroup != w.cgroup {
		if w.cgroup != 0 {
			delete(r.byCgroup, w.cgroup)
		}
		r.attach(w, s.cgroup)
	}
}

// ofALaterRun reports whether the container had already ended and been started again when it was
// looked at, without an event so far.
func (s sight) ofALaterRun(w *watched) bool {
	return !w.engineStarted.IsZero() && (s.blank != nil || s.d.Started.After(w.engineStarted))
}

// drop forgets a container that is not part of the recording.
func (r *recording) drop(w *watched) {
	delete(r.byID, w.id)
	if w.cgroup != 0 {
		delete(r.byCgroup, w.cgroup)
		r.gone[w.cgroup] = time.Now()
	}
	r.total--
}
