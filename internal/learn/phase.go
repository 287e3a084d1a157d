package learn

import (
	"strings"
	"time"

	"dropcap"
)

// The checks of a container with a healthcheck are counted under phases with this suffix while no
// administrator's exec is known to run in it: the engine runs healthchecks as execs, which the
// kernel cannot tell from others. The engine reports an administrator's exec when it is created,
// before its program runs, so the suffix goes in time. If it does not, one need too many is kept,
// and never one too few.
const whileHealth = "+health"

// unstarted is how long an exec that was created and not started counts as about to run.
const unstarted = time.Minute

// sighted is an administrator's exec.
type sighted struct {
	since   time.Time
	started bool
}

// setPhase sets the kernel's phase for the container's checks from now on.
func (r *recording) setPhase(w *watched, phase string) {
	w.phase = phase
	if w.cgroup == 0 {
		return
	}
	name := phase
	if (w.d.Health != "" || w.d.HealthAny) && len(w.execs) == 0 {
		name += whileHealth
	}
	if name == w.phaseTold {
		return
	}
	w.phaseTold = name
	if err := r.t.SetPhase(w.cgroup, name); err != nil {
		r.q.Warn(err)
	}
}

// exec follows the execs of a container.
func (r *recording) exec(ev Event) {
	w := r.byID[ev.ID]
	if w == nil || !w.live || w.d.HealthAny {
		return
	}
	switch {
	case ev.Action == "exec_die":
		delete(w.execs, ev.Exec)
	case ev.Ran != "" && ev.Ran == w.d.Health:
		return
	case len(w.execs) < 1000:
		if w.execs == nil {
			w.execs = map[string]sighted{}
		}
		w.execs[ev.Exec] = sighted{time.Now(), ev.Action == "exec_start"}
	}
	r.setPhase(w, w.phase)
}

// agePhases moves containers from starting to running, and forgets execs that were never started.
func (r *recording) agePhases(w *watched) {
	for id, x := range w.execs {
		if !x.started && time.Since(x.since) > unstarted {
			delete(w.execs, id)
		}
	}
	if !w.phased && time.Since(w.turned) > startPhase {
		w.phased, w.phase = true, dropcap.PhaseRun
		r.ask(w, settling)
	}
	r.setPhase(w, w.phase)
}

// phaseOf returns the phase of a name set in the kernel, for a check by the container's own
// processes or by an exec's.
func phaseOf(name, origin string) string {
	base, health := strings.CutSuffix(name, whileHealth)
	switch {
	case origin != dropcap.OriginExec:
		return base
	case health:
		return dropcap.PhaseHealth
	default:
		return dropcap.PhaseExec
	}
}
