package harden

import (
	"errors"
	"time"

	"dropcap"
)

// ErrChanged means that a hardening was changed by somebody else meanwhile.
var ErrChanged = errors.New("it was changed meanwhile")

// Begin returns a new hardening of a workload, or the former one with new settings, which begins
// again unless it is under way.
func Begin(now time.Time, former *dropcap.Hardening, workload, host string,
	set dropcap.HardenSettings) dropcap.Hardening {
	h := dropcap.Hardening{Workload: workload, Host: host, Begun: stamp(now)}
	if former != nil {
		h = *former
	}
	h.Settings = set
	s := &step{now: now, h: h}
	if former == nil {
		s.to(dropcap.HardenLearning, "somebody asked for it")
		s.wait("a first look", dropcap.HardenTrying, time.Time{})
		return s.h
	}
	switch h.State {
	case dropcap.HardenPaused, dropcap.HardenStopped, dropcap.HardenGone, dropcap.HardenHeldUp,
		dropcap.HardenDone:
		s.again("somebody asked for it again")
	default:
		s.event("it has new settings")
	}
	return s.h
}

// again begins with what is known by now.
func (s *step) again(because string) {
	s.h.Attempts, s.h.Reverted, s.h.Restarts, s.h.Backing = 0, 0, 0, ""
	s.to(dropcap.HardenLearning, because)
	s.wait("a first look", dropcap.HardenTrying, time.Time{})
}

const waitForEnd = "wait for its end; `dropcap harden status` shows it"

// Pause stops all that is done about a workload until Resume; what was changed stays.
func Pause(now time.Time, h dropcap.Hardening) (dropcap.Hardening, error) {
	switch {
	case h.State == dropcap.HardenApplying || h.Backing != "":
		return h, dropcap.Errorf(dropcap.CodeError, waitForEnd,
			"cannot pause %s: a change is under way", h.Workload)
	case h.State == dropcap.HardenPaused:
		return h, nil
	case !h.Active():
		return h, dropcap.Errorf(dropcap.CodeError, "`dropcap harden "+h.Workload+"` begins again",
			"cannot pause %s: it is %s", h.Workload, h.State)
	}
	s := &step{now: now, h: h}
	resume := h.State
	if resume == dropcap.HardenHeldUp {
		resume = dropcap.HardenLearning
	}
	s.to(dropcap.HardenPaused, "somebody asked for it")
	s.h.Resume = resume
	s.wait("`dropcap harden resume "+h.Workload+"`", resume, time.Time{})
	return s.h, nil
}

// Resume goes on after a pause, or with what waits for a person.
func Resume(now time.Time, h dropcap.Hardening) (dropcap.Hardening, error) {
	s := &step{now: now, h: h}
	switch h.State {
	case dropcap.HardenPaused:
		resume := h.Resume
		if resume == "" || resume == dropcap.HardenApplying {
			resume = dropcap.HardenLearning
		}
		s.to(resume, "somebody asked to go on")
		s.wait("a first look", "", time.Time{})
	case dropcap.HardenHeldUp, dropcap.HardenStopped, dropcap.HardenGone:
		s.again("somebody asked to go on")
	default:
		return h, dropcap.Errorf(dropcap.CodeError, "`dropcap harden status` shows where it is",
			"cannot resume %s: it is %s, and goes on by itself", h.Workload, h.State)
	}
	return s.h, nil
}

// Stop ends the hardening of a workload. What was changed stays; `dropcap backout` takes it back.
func Stop(now time.Time, h dropcap.Hardening) (dropcap.Hardening, error) {
	if h.State == dropcap.HardenApplying || h.Backing != "" {
		return h, dropcap.Errorf(dropcap.CodeError, waitForEnd,
			"cannot stop the hardening of %s: a change is under way", h.Workload)
	}
	if h.State == dropcap.HardenStopped {
		return h, nil
	}
	s := &step{now: now, h: h}
	s.to(dropcap.HardenStopped, "somebody asked for it")
	s.wait("", "", time.Time{})
	return s.h, nil
}

// Approve agrees to the drop of what is proposed now, and of nothing else.
func Approve(now time.Time, h dropcap.Hardening) (dropcap.Hardening, error) {
	if h.State != dropcap.HardenApproval {
		return h, dropcap.Errorf(dropcap.CodeError,
			"`dropcap harden status` shows what waits for a yes",
			"cannot approve %s: it is %s, and waits for no approval", h.Workload, h.State)
	}
	s := &step{now: now, h: h}
	s.h.Approved = h.Proposed
	s.event("somebody approved to drop " + h.Proposed.Short())
	s.wait("the next look", dropcap.HardenWindow, time.Time{})
	return s.h, nil
}

// Shown returns a hardening as a person is shown it, with what was learned and tried since it was
// stored.
func Shown(h dropcap.Hardening, learned int64, trial *dropcap.Trial,
	tried []dropcap.Tried) dropcap.Hardening {
	s := &step{h: h, v: View{Learned: learned, Trial: trial, Tried: tried}}
	switch {
	case h.State == dropcap.HardenLearning && learned > h.Learned:
		switch {
		case h.Waiting != s.moreOf(h.Learned):
		case learned < h.Settings.Learn:
			s.h.Waiting = s.moreOf(learned)
		default:
			s.h.Waiting = "its turn: one after the other"
		}
		s.h.Learned = learned
	case h.State == dropcap.HardenTrying && s.v.trying():
		s.h.Tried = s.tried(h.Proposed)
		s.h.Waiting = s.trialOf(s.h.Tried)
	}
	return s.h
}
