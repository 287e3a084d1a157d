package trial

import (
	"fmt"
	"path"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
	"dropcap/internal/verdict"
)

// judgement is what one kind of denied check means for its container.
type judgement struct {
	verdict verdict.Verdict
	harm    bool
	phase   string
	count   uint64 // when it was judged
}

// mostJudged limits how many kinds of a container's checks are remembered. Others are judged each
// time.
const mostJudged = 1 << 14

// keyOf identifies a kind of check.
func keyOf(c dropcap.KernelCheck) string {
	return fmt.Sprint(c.Cgroup, c.Cap, c.Spent, c.OwnCred, c.Reach, c.Arg, c.Syscall, c.Exe,
		c.Origin, c.Phase, c.UID == 0, " ") + strings.Join(c.Frames, " ")
}

// judge judges the kinds of checks that are new, or that were harmless and have become more: an
// administrator's exec and a healthcheck may ask the same question.
func (t *running) judge(c dropcap.KernelCheck, now time.Time) judgement {
	key := keyOf(c)
	j, ok := t.judged[key]
	if ok && (j.harm || j.count == c.Count) {
		return j
	}
	j = judgement{verdict: verdict.Of(c), phase: t.phase(c, now), count: c.Count}
	j.harm = t.harms(c, j)
	if len(t.judged) < mostJudged {
		t.judged[key] = j
	}
	return j
}

// harms reports whether something depends on a check that the trial denied.
func (t *running) harms(c dropcap.KernelCheck, j judgement) bool {
	switch {
	case c.Granted || !c.Trial || c.Spent || !c.OwnCred || c.Reach == dropcap.ReachBeyond:
		return false
	case j.phase == dropcap.PhaseExec && !t.q.Execs:
		return false // an administrator's; no need of the workload
	case t.q.Tolerant && j.verdict.Try != "":
		return false
	case t.known != nil && t.known(c, j.verdict.Site):
		return false // denied before as well, and it worked
	}
	switch j.verdict.Class {
	case dropcap.Decisive:
		return !t.served(c, verdict.ServedBy(c))
	case dropcap.Alternative:
		return !t.served(c, j.verdict.Or|verdict.ServedBy(c))
	case dropcap.UnknownNeed:
		return !t.q.Named
	default: // silent, advisory and the like are told, and not acted on
		return false
	}
}

// served reports whether the program holds another capability that does as well. Whether one of
// another user than 0 has it in effect is not known.
func (t *running) served(c dropcap.KernelCheck, by caps.Set) bool {
	if c.UID != 0 {
		return false
	}
	has := t.c.Holds
	if !c.Held.Empty() {
		has &= c.Held
	}
	return by&has.Minus(t.doc.Denied) != 0
}

// phase returns the part of the container's life that a check belongs to. The kernel tells execs
// from the rest; those while no administrator's exec is known are the healthcheck's.
func (t *running) phase(c dropcap.KernelCheck, now time.Time) string {
	switch {
	case c.Origin == dropcap.OriginExec && (len(t.execs) > 0 || t.c.Health == ""):
		return dropcap.PhaseExec
	case c.Origin == dropcap.OriginExec:
		return dropcap.PhaseHealth
	case c.Phase != "":
		return c.Phase
	case t.under && now.Sub(t.turned) < startPhase:
		return dropcap.PhaseStart
	case !t.signalled.IsZero() && now.Sub(t.signalled) < startPhase:
		return dropcap.PhaseStop
	}
	return dropcap.PhaseRun
}

// because says in one sentence what was denied to whom, and what that means.
func because(c dropcap.KernelCheck, v verdict.Verdict) string {
	program, place := "a program", c.Syscall
	if c.Exe.Path != "" {
		program = printable.Line(path.Base(c.Exe.Path))
	}
	if place == "" {
		place = v.Site
	}
	return fmt.Sprintf("%s was denied %s at %s: %s", program, c.Cap.Short(), place, v.Because)
}

func by(c dropcap.KernelCheck, j judgement) *dropcap.By {
	from := c.Exe.From
	if from == "" {
		from = dropcap.FromUnknown
	}
	return &dropcap.By{Exe: c.Exe.Path, ExeFrom: from, Syscall: c.Syscall, Site: j.verdict.Site,
		Phase: j.phase, Count: c.Count}
}

// look reads what was denied, and lifts what hurts, at once.
func (r *Runner) look() {
	list, loss, err := r.k.Denials()
	if err != nil {
		r.blind(err)
		return
	}
	r.loss = loss
	by := map[uint64]*running{}
	for _, t := range r.trials {
		t.checks = t.checks[:0]
		for cgroup := range t.cgroups {
			by[cgroup] = t
		}
	}
	for _, c := range list {
		t := by[c.Cgroup]
		if t == nil {
			if t = r.strange(c); t == nil {
				continue
			}
			by[c.Cgroup] = t
		}
		t.checks = append(t.checks, c)
	}
	for _, t := range r.trials {
		r.judgeAll(t)
		r.countLoss(t)
		if !t.doc.State.Over() {
			t.now = r.evidenceOf(t, r.o.Clock.Now())
		}
	}
}

// strange returns whose denial it is in a cgroup that is not known yet: a container has started and
// was not looked at, and may have ended already. Nothing but containers under trial is denied
// anything, so where only one of them can be meant, it is.
func (r *Runner) strange(c dropcap.KernelCheck) (only *running) {
	for _, t := range r.trials {
		if !t.live || len(t.cgroups) > 0 {
			continue
		}
		t.lookAgain = true
		if only != nil {
			return nil
		}
		only = t
	}
	if only != nil {
		only.cgroups[c.Cgroup] = true
	}
	return only
}

// judgeAll lifts what the denials of a container call for. What is lifted is lifted in the kernel
// before anything is written.
func (r *Runner) judgeAll(t *running) {
	now := r.o.Clock.Now()
	var lifts []dropcap.Lift
	var gone caps.Set
	for _, c := range t.checks {
		j := t.judge(c, now)
		if !j.harm || gone.Has(c.Cap) || !t.doc.Denied.Has(c.Cap) {
			continue
		}
		set := caps.Of(c.Cap)
		if t.q.Strict {
			set = t.doc.Denied.Minus(gone)
		}
		gone |= set
		lifts = append(lifts, dropcap.Lift{
			Caps: set, Because: because(c, j.verdict), By: by(c, j), Started: t.under,
		})
	}
	if len(lifts) > 0 {
		r.lift(t, lifts...)
	}
}

// countLoss notes what was denied and is not described. A capability of which such a check was
// denied is lifted: nobody knows what it meant.
func (r *Runner) countLoss(t *running) {
	for cgroup := range t.cgroups {
		if n := r.loss.Of[cgroup]; n > t.lostOf[cgroup] {
			t.lostOf[cgroup] = n
		}
	}
	if r.loss.Elsewhere > t.lossBefore {
		t.lostOf[0] = r.loss.Elsewhere - t.lossBefore
	}
	now, missing := r.o.Clock.Now(), caps.Set(0)
	for cgroup := range t.cgroups {
		was, ok := r.counted[cgroup]
		if !ok || now.Sub(was.at) < lostAfter {
			continue
		}
		described := described(t.checks, cgroup)
		for c, n := range was.by {
			if n > described[c] && t.doc.Denied.Has(c) {
				missing |= caps.Of(c)
				t.lostOf[cgroup] = max(t.lostOf[cgroup], n-described[c])
			}
		}
	}
	if !missing.Empty() {
		r.lift(t, dropcap.Lift{Caps: missing, Because: "denied checks of " + missing.Short() +
			" were counted and could not be recorded: nobody knows what they were"})
	}
}

// described sums up the recorded checks of a cgroup. Several call paths may share a count.
func described(checks []dropcap.KernelCheck, cgroup uint64) map[caps.Cap]uint64 {
	shared, sum := map[string]bool{}, map[caps.Cap]uint64{}
	for _, c := range checks {
		if c.Cgroup != cgroup {
			continue
		}
		if c.CountShared {
			c.Frames = nil
			if key := keyOf(c); shared[key] {
				continue
			} else {
				shared[key] = true
			}
		}
		sum[c.Cap] += c.Count
	}
	return sum
}

// blind ends all trials: what is denied cannot be seen any more.
func (r *Runner) blind(err error) {
	for _, t := range r.trials {
		r.liftAll(t, "what was denied cannot be read: "+err.Error())
	}
}
