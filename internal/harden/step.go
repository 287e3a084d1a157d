package harden

import (
	"time"

	"dropcap"
	"dropcap/caps"
)

// Step returns what becomes of a hardening, given what is seen of its workload now, and what is to
// be done. It must be stored before that is done. It is pure, and asked again it says the same, so
// that a crash at any moment leads to what it would have led to. now is in the host's local time.
func Step(now time.Time, h dropcap.Hardening, v View) (dropcap.Hardening, Action) {
	s := &step{now: now, h: h, v: v, grown: v.Holds.Minus(h.Holds)}
	s.window, _ = dropcap.ParseWindow(h.Settings.Window) // checked when it was asked for
	act, over := s.present()
	if !over {
		act = s.goOn()
	}
	return s.h, act
}

// step is one call of Step.
type step struct {
	now    time.Time
	h      dropcap.Hardening
	v      View
	window dropcap.Window
	grown  caps.Set // what it holds and did not hold at the last look
}

// present handles what does not depend on how far it is: nobody wants it, or the workload is gone
// or has become another one.
func (s *step) present() (act Action, over bool) {
	if !s.h.Active() && s.ours() {
		return Action{Deed: EndTrial}, true
	}
	if s.h.State == dropcap.HardenStopped || s.h.State == dropcap.HardenApplying {
		return act, s.h.State == dropcap.HardenStopped
	}
	if len(s.v.Containers) == 0 {
		return s.absent(), true
	}
	s.h.Containers, s.h.Holds = s.v.Containers, s.v.Holds
	if s.h.State == dropcap.HardenGone {
		s.to(dropcap.HardenLearning, "it is there again")
	}
	if s.h.Waiting == absent {
		s.h.Waiting, s.h.NextAt = "", ""
	}
	if s.h.Revision == "" {
		s.h.Revision = s.v.Revision
	}
	if s.v.Revision != "" && s.v.Revision != s.h.Revision && s.h.Backing == "" {
		return s.anew(), true
	}
	return act, s.h.State == dropcap.HardenPaused
}

// ours reports whether the trial that runs is of this hardening, and not somebody else's.
func (s *step) ours() bool { return s.v.trying() && s.v.Ours }

const absent = "a container of it: there is none"

// absent waits some time for its owner to make a container again.
func (s *step) absent() Action {
	switch {
	case s.h.State == dropcap.HardenGone || s.h.State == dropcap.HardenPaused:
	case s.h.Waiting != absent:
		s.wait(absent, dropcap.HardenGone, s.now.Add(Absent))
	case s.reached(s.h.NextAt):
		s.to(dropcap.HardenGone, "it has no container any more")
		s.wait("a container of it", dropcap.HardenLearning, time.Time{})
	}
	return Action{}
}

// anew begins again with another revision. What was missed once is kept.
func (s *step) anew() Action {
	h := &s.h
	h.Revision, h.Attempts, h.Restarts, h.Reverted, h.Watched = s.v.Revision, 0, 0, 0, 0
	h.Learned, h.Tried, h.Approved, h.Proposed, h.Dropped, h.Required = 0, 0, 0, 0, 0, 0
	if s.v.Change != nil {
		h.Change = s.v.Change.ID
	}
	if h.State == dropcap.HardenPaused {
		h.Resume = dropcap.HardenLearning
		return Action{}
	}
	s.to(dropcap.HardenLearning, "its image, command, user or network has changed")
	if s.ours() {
		return Action{Deed: EndTrial}
	}
	return s.learning()
}

// goOn goes on from where it is.
func (s *step) goOn() Action {
	switch s.h.State {
	case dropcap.HardenLearning:
		return s.learning()
	case dropcap.HardenTrying:
		return s.trying()
	case dropcap.HardenApproval, dropcap.HardenWindow:
		return s.ready()
	case dropcap.HardenApplying:
		return s.applying()
	case dropcap.HardenWatching:
		return s.watching()
	case dropcap.HardenDone:
		return s.done()
	case dropcap.HardenHeldUp:
		return s.heldUpStill()
	}
	return Action{}
}

// learning waits until enough is known.
func (s *step) learning() Action {
	set := s.h.Settings
	s.h.Learned = s.v.Learned
	if s.ours() {
		return Action{Deed: EndTrial} // of a former state
	}
	switch left := set.Learn - s.v.Learned; {
	case s.h.Restarts > 0 && s.since() < Settle:
		s.wait("what was recorded of its restart", s.afterLearning(), s.now.Add(Settle))
		return Action{}
	case left > 0 && s.v.NotLearning != "":
		s.wait("somebody to record what it does: "+s.v.NotLearning, s.afterLearning(), time.Time{})
		return Action{}
	case left > 0 && s.v.Running == 0:
		s.wait("it to run: only then there is something to learn", s.afterLearning(), time.Time{})
		return Action{}
	case left > 0:
		s.wait(s.moreOf(s.v.Learned), s.afterLearning(), s.now.Add(time.Duration(left)*time.Second))
		return Action{}
	}
	return s.ready()
}

func (s *step) moreOf(learned int64) string {
	return "more to be seen of it: " + Span(learned) + " of " + Span(s.h.Settings.Learn)
}

func (s *step) afterLearning() dropcap.HardenState {
	switch {
	case s.tries():
		return dropcap.HardenTrying
	case s.h.Settings.Approve:
		return dropcap.HardenApproval
	case !s.window.Always():
		return dropcap.HardenWindow
	}
	return dropcap.HardenApplying
}

// tries reports whether a trial comes before the change.
func (s *step) tries() bool { return s.h.Settings.Trial > 0 && s.v.CannotTry == "" }

// ready goes on towards the change as far as the plan allows it.
func (s *step) ready() Action {
	p, act := s.plan()
	if p == nil {
		return act
	}
	h := &s.h
	switch {
	case p.Start && h.Restarts < MostRestarts:
		return s.unsure(true, p.Early, dropcap.Refusal{Message: "no start of it was seen"})
	case !h.Settings.AcceptLow && p.Doubt.Message != "":
		return s.unsure(p.Start, p.Early, p.Doubt)
	case s.tries() && s.tried(h.Proposed) < h.Settings.Trial:
		return s.try()
	case h.Settings.Trial > 0 && !s.tries() && !p.Sure && !h.Settings.AcceptLow:
		return s.unsure(p.Start || p.Stop, p.Early, dropcap.Refusal{
			Message: "cannot try it here (" + s.v.CannotTry + "), and what is known is not of " +
				"high confidence: " + p.Missing,
			Hint: "let it show that; or `--trial 0` asks for no more than medium confidence",
		})
	case h.Settings.Approve && !h.Proposed.Minus(h.Approved).Empty():
		s.into(dropcap.HardenApproval, "it is ready")
		s.wait("a person's yes to drop "+h.Proposed.Short()+": `dropcap harden approve "+h.Workload+
			"`", dropcap.HardenWindow, time.Time{})
		return Action{}
	case !s.window.Open(s.now):
		s.into(dropcap.HardenWindow, "it is ready")
		s.wait("the window "+s.window.String(), dropcap.HardenApplying, s.window.Next(s.now))
		return Action{}
	case s.v.trying():
		return Action{Deed: EndTrial}
	}
	if s.v.Change != nil {
		h.Change = s.v.Change.ID // so that the next one is told from it
	}
	because := "it drops " + h.Proposed.Short()
	if h.Settings.Trial > 0 && !s.tries() {
		because += ", untried: " + s.v.CannotTry
	}
	s.to(dropcap.HardenApplying, because)
	s.wait("the change to end", dropcap.HardenWatching, time.Time{})
	return Action{Deed: Change, Drop: h.Proposed}
}

// plan returns the plan if something may be dropped by it, else nil and what is to be done.
func (s *step) plan() (*Proposal, Action) {
	p := s.v.Plan
	switch {
	case s.v.Failed != nil && p == nil:
		e := dropcap.AsError(s.v.Failed)
		s.heldUp(e.Message, e.Hint, Again)
		return nil, Action{}
	case p == nil:
		return nil, Action{Deed: Ask}
	}
	s.h.Required = p.Required
	s.h.Proposed = p.Drop.Minus(s.h.Missed)
	switch {
	case s.h.Proposed.Empty():
		s.to(dropcap.HardenDone, "it holds no more than it needs")
		s.wait("another revision of it", dropcap.HardenLearning, time.Time{})
		if s.ours() {
			return nil, Action{Deed: EndTrial}
		}
		return nil, Action{}
	case p.Refused.Message != "":
		s.heldUp(p.Refused.Message, p.Refused.Hint, Again)
		return nil, Action{}
	}
	return p, Action{}
}

// unsure makes what is missing happen where it may, and waits for the rest.
func (s *step) unsure(start, early bool, why dropcap.Refusal) Action {
	switch {
	case start && s.v.Running == 0:
		s.intoAs(dropcap.HardenLearning, why.Message)
		s.wait("it to run", s.afterLearning(), time.Time{})
	case start && s.h.Restarts < MostRestarts && s.window.Open(s.now):
		s.h.Restarts++
		s.to(dropcap.HardenLearning, "it is restarted, so that its stop and start are seen")
		s.wait("what is recorded of its restart", s.afterLearning(), s.now.Add(Settle))
		return Action{Deed: Restart}
	case start && s.h.Restarts < MostRestarts:
		s.intoAs(dropcap.HardenLearning, why.Message)
		s.wait("the window "+s.window.String()+", to restart it once so that its start is seen",
			s.afterLearning(), s.window.Next(s.now))
	case early:
		s.intoAs(dropcap.HardenLearning, why.Message)
		s.wait("more to be seen of it", s.afterLearning(), s.now.Add(Again/6))
	default:
		s.heldUp(why.Message, why.Hint, Again)
	}
	return Action{}
}

// done looks whether what was dropped stays so.
func (s *step) done() Action {
	switch {
	case !(s.v.Holds & s.h.Dropped).Empty():
		return s.reverted()
	case !s.grown.Empty():
		s.to(dropcap.HardenLearning, "it holds more than before: "+s.grown.Short())
		return s.learning()
	}
	return Action{}
}

// reverted begins again where somebody has made the container again as it was, or made one more.
func (s *step) reverted() Action {
	back := (s.v.Holds & s.h.Dropped).Short()
	s.h.Reverted++
	s.h.Dropped = 0
	if s.v.Change != nil {
		s.h.Change = s.v.Change.ID
	}
	if s.h.Reverted >= MostReverted {
		s.heldUp("somebody makes it again and again with "+back,
			"change it where its owner has its settings: `dropcap plan` shows what to write there; "+
				"then `dropcap harden resume "+s.h.Workload+"`", 0)
		return Action{}
	}
	s.to(dropcap.HardenLearning, "somebody made a container of it with "+back)
	return s.learning()
}
