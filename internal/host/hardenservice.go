package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/bpf"
	"dropcap/internal/harden"
	"dropcap/internal/store"
)

// HardenServiceRequest says which hardenings to carry on, and for how long.
type HardenServiceRequest struct {
	// Names ends the service when all of these workloads have come to where only a person or a new
	// revision leads on; empty: it goes on until the context ends, and follows the policy.
	Names []string
	// Policy has the keeps, and which workloads to harden unasked.
	Policy dropcap.Policy
}

// HardenBegun reports that hardenings are carried on from here on.
type HardenBegun struct{}

func (HardenBegun) isProgress() {}

// HardenRound reports, after each look, how many hardenings there are by state.
type HardenRound struct {
	States map[dropcap.HardenState]int
}

func (HardenRound) isProgress() {}

const (
	// hardenTick is how often a service looks where nothing wakes it.
	hardenTick = 10 * time.Second
	// hardenSweep is how often it looks at all hardenings, due or not.
	hardenSweep = 5 * time.Minute
	// hardenCalm is how long it waits after an event for more of them.
	hardenCalm = 200 * time.Millisecond
)

// HardeningElsewhere reports whether another process carries this store's hardenings on.
func (h *Host) HardeningElsewhere() bool {
	s, err := store.Open(h.config.Store)
	if err != nil {
		return false
	}
	defer s.Close()
	unlock, err := s.Lock("harden")
	if err == nil {
		_ = unlock()
	}
	return errors.Is(err, store.ErrBusy)
}

// HardenService carries hardenings on: it learns what containers need, unless another process does
// so already, tries, changes, and watches. The end of the context ends it and is no error; what is
// being changed is finished or rolled back first, and trials are lifted.
func (h *Host) HardenService(ctx context.Context, q HardenServiceRequest) error {
	limitMemory()
	s, err := h.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	_, here, err := s.learnable(ctx)
	if err != nil {
		return err
	}
	kept, err := store.Open(h.config.Store)
	if err != nil {
		return err
	}
	defer kept.Close()
	unlock, err := kept.Lock("harden")
	if err != nil {
		return err
	}
	defer unlock()
	quiet := *h
	quiet.observer = &quietly{Observer: h.observer,
		again: &repeatedWarnings{observer: h.observer, now: now}}
	w := newHardening(&quiet, s, kept, q.Policy, here.ID)
	ctx, end := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer end()
	events, err := s.Client.Events(ctx, time.Time{})
	if err != nil {
		return err
	}
	wake := make(chan struct{}, 1)
	all.Go(func() { w.follow(events, wake) })
	begun := make(chan struct{})
	all.Go(func() { w.keepLearning(ctx, begun) })
	w.trials = newHardenTrials(w.host)
	defer func() {
		if err := w.trials.close(); err != nil {
			h.observer.Warn(err)
		}
	}()
	select {
	case <-begun:
	case <-ctx.Done():
		return nil
	}
	releaseMemory()
	h.observer.Progress(HardenBegun{})
	return w.serve(ctx, q, wake)
}

// quietly passes on the warnings of a service, each once in a while.
type quietly struct {
	Observer
	again *repeatedWarnings
}

func (q *quietly) Warn(err error) { q.again.pass(err) }

// serve looks again and again until ctx ends, or what is asked for is done.
func (w *hardening) serve(ctx context.Context, q HardenServiceRequest,
	wake <-chan struct{}) error {
	last := time.Now()
	r := &harden.Runner{World: w, Book: &book{kept: w.kept}, Now: now, Warn: w.host.observer.Warn,
		Since: func() time.Duration {
			d := min(time.Since(last), 2*hardenTick+hardenCalm)
			last = time.Now()
			return d
		},
		Say: func(format string, args ...any) {
			w.host.observer.Progress(LogLine{fmt.Sprintf(format, args...)})
		}}
	tick := time.NewTicker(hardenTick)
	defer tick.Stop()
	due := newDue()
	for ctx.Err() == nil {
		if err := w.round(ctx, r, due, len(q.Names) == 0); err != nil && ctx.Err() == nil {
			w.host.observer.Warn(fmt.Errorf("hardening waits: %w", err))
		}
		list, err := r.Book.Hardenings(ctx)
		if err == nil {
			w.host.observer.Progress(roundOf(list))
			if len(q.Names) > 0 && settled(list, q.Names) {
				return nil
			}
		}
		select {
		case <-wake:
			select { // there is seldom one event alone
			case <-time.After(hardenCalm):
			case <-ctx.Done():
			}
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

func (w *hardening) round(ctx context.Context, r *harden.Runner, due *due, follow bool) error {
	if err := w.Refresh(ctx); err != nil {
		return err
	}
	list, err := r.Book.Hardenings(ctx)
	if err != nil {
		return err
	}
	if follow {
		if err := w.byPolicy(ctx, list); err != nil {
			return err
		}
	}
	due.begin()
	return r.Round(ctx, due.is)
}

func roundOf(list []dropcap.Hardening) HardenRound {
	r := HardenRound{States: map[dropcap.HardenState]int{}}
	for _, h := range list {
		r.States[h.State]++
	}
	return r
}

// settled reports whether nothing about these workloads goes on by itself but the wait for another
// revision or a person.
func settled(list []dropcap.Hardening, names []string) bool {
	return !slices.ContainsFunc(list, func(h dropcap.Hardening) bool {
		if !slices.Contains(names, h.Workload) {
			return false
		}
		switch h.State {
		case dropcap.HardenDone, dropcap.HardenStopped, dropcap.HardenGone, dropcap.HardenPaused:
			return false
		case dropcap.HardenHeldUp:
			return h.NextAt != ""
		}
		return true
	})
}

// due tells which hardenings are to be looked at now: not each of a thousand, each time.
type due struct {
	swept time.Time
	all   bool
	seen  map[string]string // by workload, what was seen of it last
}

func newDue() *due { return &due{seen: map[string]string{}} }

func (d *due) begin() {
	if d.all = time.Since(d.swept) >= hardenSweep; d.all {
		d.swept = time.Now()
	}
}

func (d *due) is(h dropcap.Hardening) bool {
	mark := fmt.Sprint(h.State, h.Since, len(h.Timeline), h.Approved, h.Settings, h.Waiting,
		h.NextAt)
	changed := d.seen[h.Workload] != mark
	d.seen[h.Workload] = mark
	at, err := time.Parse(time.RFC3339, h.NextAt)
	switch {
	case d.all, changed, err == nil && !now().Before(at):
		return true
	}
	return h.State == dropcap.HardenTrying || h.State == dropcap.HardenApplying
}

// keepLearning records what containers do, unless another process does; then it only watches what
// is denied. It closes begun once either has begun.
func (w *hardening) keepLearning(ctx context.Context, begun chan<- struct{}) {
	var once sync.Once
	ready := func(why string) {
		w.mu.Lock()
		w.notLearning = why
		w.mu.Unlock()
		once.Do(func() { close(begun) })
	}
	for ctx.Err() == nil {
		h := *w.host
		h.observer = learnQuietly{w.host.observer, func() { ready("") }}
		_, err := h.Learn(ctx, LearnRequest{Service: true, tap: w.denied.tap, Enough: noMore})
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrBusy):
			ready("")
			w.watchOnly(ctx)
		default:
			if err == nil {
				err = errors.New("the recording ended")
			}
			ready(sentenceOf(err))
			w.host.observer.Warn(fmt.Errorf("cannot learn: %w", err))
		}
		select {
		case <-time.After(learnAgain):
		case <-ctx.Done():
		}
	}
}

// noMore leaves the files that are still to be looked at to the next recording: whoever ends the
// service does not wait for them.
func noMore() <-chan struct{} {
	ended := make(chan struct{})
	close(ended)
	return ended
}

// learnAgain is after how long it is tried again to record.
const learnAgain = time.Minute

// watchOnly reads denied checks for some minutes while another process records.
func (w *hardening) watchOnly(ctx context.Context) {
	t, err := bpf.Open(bpf.Options{})
	if err == nil {
		err = t.Default(true)
	}
	if err != nil {
		w.host.observer.Warn(fmt.Errorf("cannot watch what is denied: %w", err))
		return
	}
	defer t.Close()
	tap := w.denied.tap(learnTracer{t})
	for end := time.Now().Add(watchOnlyFor); time.Now().Before(end) && ctx.Err() == nil; {
		_, err := tap.Sightings()
		if err == nil {
			_, _, err = tap.Checks()
		}
		if err != nil {
			w.host.observer.Warn(err)
		}
		select {
		case <-time.After(serviceRead):
		case <-ctx.Done():
		}
	}
}

const watchOnlyFor = 10 * time.Minute

// learnQuietly hears from a recording that it has begun.
type learnQuietly struct {
	Observer
	begun func()
}

func (l learnQuietly) Progress(p Progress) {
	switch p.(type) {
	case LearnBegun:
		l.begun()
	case LogLine, TracerOpened:
		l.Observer.Progress(p)
	}
}

func sentenceOf(err error) string {
	message, hint := sentence(err)
	if hint != "" {
		message += " (" + hint + ")"
	}
	return message
}
