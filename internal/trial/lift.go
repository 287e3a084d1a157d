package trial

import (
	"fmt"
	"time"

	"dropcap"
	"dropcap/caps"
)

// lift stops denying some capabilities of a container: first in the kernel, then in the books.
func (r *Runner) lift(t *running, lifts ...dropcap.Lift) {
	left := t.doc.Denied
	for _, l := range lifts {
		left = left.Minus(l.Caps)
	}
	if left == t.doc.Denied {
		return
	}
	if err := r.k.Expect(t.c.ID, left); err != nil {
		r.o.Warn(fmt.Errorf("lift %s of %s: %w", t.doc.Denied.Minus(left).Short(), t.c.Name, err))
		if err := r.k.Expect(t.c.ID, 0); err == nil {
			left = 0
		}
	}
	now := r.o.Clock.Now()
	t.rest(now)
	for _, l := range lifts {
		l.At = now.UTC().Format(time.RFC3339Nano)
		l.Caps &= t.doc.Denied
		t.doc.Lifted = append(t.doc.Lifted, l)
	}
	t.doc.Denied = left
	r.save(t)
	if left.Empty() {
		r.end(t, dropcap.TrialLifted, "nothing is left to deny: "+lifts[len(lifts)-1].Because)
	}
}

// liftAll stops denying anything to a container, for a reason that names no capability.
func (r *Runner) liftAll(t *running, because string) {
	if t.doc.State.Over() {
		return
	}
	r.lift(t, dropcap.Lift{Caps: t.doc.Denied, Because: because, Started: t.under})
}

// end ends a trial: the kernel lets go, and then it is written down.
func (r *Runner) end(t *running, state dropcap.TrialState, because string) {
	if t.doc.State.Over() {
		return
	}
	if err := r.k.Expect(t.c.ID, 0); err != nil {
		r.o.Warn(fmt.Errorf("end the trial of %s: %w; the kernel lets go when dropcap ends",
			t.c.Name, err))
	}
	now := r.o.Clock.Now()
	t.now = r.evidenceOf(t, now)
	// What was tried is told by what was denied until now; afterwards nothing is.
	last := t.document(now)
	last.State, last.Because, last.Ended = state, because, stamp(now)
	t.doc.State = state
	t.last = last
	t.last.Denied = 0
	delete(r.trials, t.c.ID)
	r.forget(t.fold(now))
	r.o.Tell(t.last)
	r.writer.put(t.last, t.now, func() { close(t.over) })
}

func (r *Runner) forget(cgroups []uint64) {
	for _, c := range cgroups {
		delete(r.counted, c)
		delete(r.totals, c)
	}
	if len(cgroups) == 0 {
		return
	}
	if err := r.k.Forget(cgroups...); err != nil {
		r.o.Warn(err)
	}
}

// evidenceOf returns what the trial has shown so far; without what was tried if losses are unknown.
func (r *Runner) evidenceOf(t *running, now time.Time) *dropcap.WorkloadEvidence {
	w := t.evidence(now)
	t.now = &w // the needs, of which tried counts
	w = t.evidence(now)
	return &w
}

// save has the trial written down as it is, with what it has shown.
func (r *Runner) save(t *running) {
	now := r.o.Clock.Now()
	t.now = r.evidenceOf(t, now)
	doc := t.document(now)
	r.o.Tell(doc)
	r.writer.put(doc, t.now, nil)
}

// tick does what time brings: the end, a probe, a look, and what is to be written.
func (r *Runner) tick() {
	now := r.o.Clock.Now()
	r.count(now)
	flush := now.Sub(r.flushed) >= flushEvery
	if flush {
		r.flushed = now
	}
	for _, t := range r.trials {
		switch {
		case now.Sub(t.began) >= t.q.For:
			r.look() // the very last denials count, too
			r.end(t, dropcap.TrialDone, "its time is over")
			continue
		case !t.down.IsZero() && now.Sub(t.down) >= comesBack:
			r.liftAll(t, "it did not run again after the engine could not be asked")
			continue
		}
		if t.lookAgain {
			r.ask(t)
		}
		if t.live && !t.paused && t.q.Probe.any() && !t.probing && !now.Before(t.nextProbe) {
			r.probe(t)
		}
		if flush {
			r.save(t)
		} else {
			r.o.Tell(t.document(now))
		}
	}
	r.askStops()
}

// count reads the exact counts, and the denials if these have changed: a kind that is known wakes
// nobody.
func (r *Runner) count(now time.Time) {
	if len(r.trials) == 0 {
		return
	}
	counts, err := r.k.Counts()
	if err != nil {
		r.blind(err)
		return
	}
	for cgroup, n := range counts {
		if total(n) != r.totals[cgroup] {
			r.totals[cgroup], r.changed = total(n), now
		}
	}
	// and again, until all that is counted has to be described
	if !r.changed.IsZero() && now.Sub(r.changed) <= 2*lostAfter {
		r.look()
	}
	for cgroup, n := range counts {
		if was, ok := r.counted[cgroup]; !ok || now.Sub(was.at) >= lostAfter {
			r.counted[cgroup] = count{now, n}
		}
	}
}

func total(by map[caps.Cap]uint64) (n uint64) {
	for _, x := range by {
		n += x
	}
	return n
}
