package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// on follows what the engine says of the containers under trial.
func (r *Runner) on(ev Event) {
	if ev.Action == "reconnected" {
		for _, t := range r.trials {
			r.ask(t)
		}
		return
	}
	t := r.trials[ev.ID]
	if t == nil {
		return
	}
	now := r.o.Clock.Now()
	switch ev.Action {
	case "start":
		r.started(t, now)
	case "kill":
		if ends(ev.Signal, t.c.StopSignal) {
			t.signalled = now
		}
	case "die":
		r.died(t, ev, now)
	case "oom":
		r.look()
		r.liftAll(t, "it ran out of memory")
	case "health_status":
		t.c.Health = ev.Health
		if ev.Health == "unhealthy" {
			r.look()
			r.liftAll(t, "it became unhealthy by its own healthcheck")
		}
	case "pause", "unpause":
		t.rest(now)
		t.paused = ev.Action == "pause"
	case "destroy":
		r.look()
		r.end(t, dropcap.TrialStopped, "the container was removed")
	case "exec_create", "exec_start":
		if ev.Ran == "" || ev.Ran != t.c.Check {
			if len(t.execs) < 1000 {
				t.execs[ev.Exec] = now
			}
		}
	case "exec_die":
		if _, ok := t.execs[ev.Exec]; ok {
			r.look() // while it is known whose checks these are
			delete(t.execs, ev.Exec)
		}
	}
}

// ends reports whether a signal is meant to end a container, rather than to reload it: KILL, TERM,
// INT, QUIT, or the container's own.
func ends(signal, own string) bool {
	switch signal {
	case "9", "15", "2", "3":
		return true
	}
	return signal != "" && signal == own
}

// died ends a run. An operator's stop is none of the trial's doing; any other end lifts all.
func (r *Runner) died(t *running, ev Event, now time.Time) {
	if !t.live {
		return
	}
	r.look()
	if t.doc.State.Over() {
		return
	}
	t.rest(now)
	t.live, t.since, t.down = false, time.Time{}, time.Time{}
	t.run++
	t.doc.Stops++
	clear(t.execs)
	if t.signalled.IsZero() || now.Sub(t.signalled) > stopWithin {
		r.liftAll(t, fmt.Sprintf("it ended by itself, with status %s", printable.Line(ev.Exit)))
		return
	}
	t.signalled = time.Time{}
	r.forget(t.fold(now))
	r.save(t)
}

// started begins a run under the trial.
func (r *Runner) started(t *running, now time.Time) {
	if t.live { // its end was not told
		t.rest(now)
		t.doc.Stops++
		r.look()
		r.forget(t.fold(now))
	}
	if t.doc.State.Over() {
		return
	}
	r.begins(t, now)
	r.ask(t)
}

func (r *Runner) begins(t *running, now time.Time) {
	t.live, t.under, t.paused, t.down = true, true, false, time.Time{}
	t.since, t.turned = now, now
	t.run++
	t.signalled, t.nextProbe = time.Time{}, now.Add(ready)
	t.doc.Starts++
	if !t.c.Ran {
		t.startsCold++
	}
	t.c.Ran = true
	r.save(t)
}

// sight is what a look at a container has shown.
type sight struct {
	id  string
	run int
	c   Container
	err error
}

// ask looks at a container beside the loop: an engine may take its time.
func (r *Runner) ask(t *running) {
	t.lookAgain = false
	id, run := t.c.ID, t.run
	go func() {
		c, err := r.see(r.work, id)
		select {
		case r.seen <- sight{id, run, c, err}:
		case <-r.work.Done():
		}
	}()
}

func (r *Runner) see(ctx context.Context, id string) (Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return r.e.See(ctx, id)
}

// saw compares what there is with what is known: events may have been missed.
func (r *Runner) saw(s sight) {
	t := r.trials[s.id]
	now := r.o.Clock.Now()
	switch {
	case t == nil:
		return
	case s.run != t.run: // it was looked at before it ended or started
		t.lookAgain = true
		return
	case errors.Is(s.err, dropcap.ErrNotFound):
		r.look()
		r.end(t, dropcap.TrialStopped, "the container was removed")
		return
	case s.err != nil:
		r.o.Warn(fmt.Errorf("look at %s: %w", t.c.Name, s.err))
		t.lookAgain = true
		return
	}
	was := t.c
	t.c = s.c
	t.c.Ran = was.Ran || s.c.Ran && !t.live
	if s.c.Running {
		r.sawRunning(t, was, now)
		return
	}
	if t.live && t.down.IsZero() {
		t.down = now
		t.lookAgain = true
	}
}

// sawRunning takes up the run that there is.
func (r *Runner) sawRunning(t *running, was Container, now time.Time) {
	t.down = time.Time{}
	switch {
	case t.c.Restarts > was.Restarts:
		r.look()
		r.liftAll(t, "it was restarted by its restart policy")
		return
	case t.live && !was.Started.IsZero() && t.c.Started.After(was.Started) && !t.knows(t.c.Cgroup):
		if len(t.cgroups) > 0 { // its end and its start were not told
			r.started(t, now)
			return
		}
	case !t.live:
		r.begins(t, now)
	}
	if t.c.Cgroup == 0 {
		t.lookAgain = true
		return
	}
	if !t.knows(t.c.Cgroup) {
		t.cgroups[t.c.Cgroup] = true
		r.look()
	}
	if t.c.Health == "unhealthy" && !t.doc.State.Over() {
		r.liftAll(t, "it became unhealthy by its own healthcheck")
	}
}

func (t *running) knows(cgroup uint64) bool { return t.cgroups[cgroup] }

// askStops asks, beside the loop, whether a person wants a trial to end.
func (r *Runner) askStops() {
	if r.asking || len(r.trials) == 0 {
		return
	}
	r.asking = true
	go func() {
		ctx, cancel := context.WithTimeout(r.work, callLimit)
		defer cancel()
		stops, err := r.p.Stops(ctx)
		if err != nil && r.work.Err() == nil {
			r.o.Warn(err)
		}
		select {
		case r.stops <- stops:
		case <-r.work.Done():
		}
	}()
}

func (r *Runner) stopAsked(stops map[string]string) {
	if len(stops) == 0 {
		return
	}
	for _, t := range r.trials {
		if why, ok := stops[t.doc.ID]; ok {
			r.look()
			r.end(t, dropcap.TrialStopped, why)
		}
	}
}

// probed is the result of a probe.
type probed struct {
	t   *running
	run int // the one that it was begun in
	err error
}

// probe runs what has to succeed, beside the loop.
func (r *Runner) probe(t *running) {
	t.probing = true
	id, run := t.c.ID, t.run
	go func() {
		p := probed{t, run, r.probeOnce(r.work, id, t.q.Probe)}
		select {
		case r.probed <- p:
		case <-r.work.Done():
		}
	}()
}

func (r *Runner) probeOnce(ctx context.Context, id string, p Probe) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return r.e.Probe(ctx, id, p)
}

// probeEnded lifts all if a probe failed, unless the container was stopped or started meanwhile.
func (r *Runner) probeEnded(p probed) {
	t, now := p.t, r.o.Clock.Now()
	t.probing = false
	if t.doc.State.Over() {
		return
	}
	t.nextProbe = now.Add(t.q.Probe.Every)
	if p.err == nil || !t.live || t.paused || t.run != p.run || !t.signalled.IsZero() {
		return
	}
	r.look()
	if !t.doc.State.Over() {
		r.liftAll(t, "its probe failed: "+printable.Line(p.err.Error()))
	}
}
