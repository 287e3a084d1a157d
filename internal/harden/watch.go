package harden

import (
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// try goes on with a trial, or begins one.
func (s *step) try() Action {
	s.into(dropcap.HardenTrying, "what it was seen to need is known")
	switch {
	case s.v.trying():
		return s.trialGoesOn()
	case s.v.Failed != nil:
		e := dropcap.AsError(s.v.Failed)
		s.heldUp(e.Message, e.Hint, Again)
		return Action{}
	case s.v.Running == 0:
		s.wait("it to run: only then there is something to try", s.afterTrial(), time.Time{})
		return Action{}
	}
	s.h.Tried = s.tried(s.h.Proposed)
	s.wait("the trial to begin", s.afterTrial(), time.Time{})
	return Action{Deed: Try, Drop: s.h.Proposed}
}

// trying follows a trial, and judges it by its end.
func (s *step) trying() Action {
	t := s.v.Trial
	if !s.tries() {
		return s.ready()
	}
	if s.v.trying() {
		return s.trialGoesOn()
	}
	switch {
	case t == nil || t.Since < s.h.Since: // an earlier one
	case t.State == dropcap.TrialLifted && unattributed(*t):
		return s.failed("a trial was lifted: " + t.Because)
	case t.State == dropcap.TrialStopped && strings.HasPrefix(t.Because, "a person ended it"):
		s.to(dropcap.HardenPaused, "a person ended its trial")
		s.h.Resume = dropcap.HardenTrying
		s.wait("`dropcap harden resume "+s.h.Workload+"`", dropcap.HardenTrying, time.Time{})
		return Action{}
	case t.State == dropcap.TrialDone && t.Lost > 0:
		return s.failed("a trial does not count: " + printable.Count(int(t.Lost), "denial") +
			" of it are not known")
	}
	return s.ready()
}

// trialGoesOn shows how far a trial is, and ends it where it was long enough.
func (s *step) trialGoesOn() Action {
	t := s.v.Trial
	set := s.h.Settings
	s.h.Trial = t.ID
	if back := s.h.Proposed & lifted(*t); !back.Empty() {
		s.h.Proposed = s.h.Proposed.Minus(back)
		s.event("the trial lifted " + back.Short() + ": " + t.Lifted[len(t.Lifted)-1].Because)
	}
	done := s.tried(s.h.Proposed)
	s.h.Tried = done
	if s.h.Proposed.Empty() || done >= set.Trial {
		return Action{Deed: EndTrial}
	}
	left := time.Duration(set.Trial-done) * time.Second
	s.wait(s.trialOf(done), s.afterTrial(), s.now.Add(left))
	return Action{}
}

func (s *step) trialOf(done int64) string {
	return "the trial of " + s.h.Proposed.Short() + ": " + Span(done) + " of " +
		Span(s.h.Settings.Trial)
}

func (s *step) afterTrial() dropcap.HardenState {
	switch {
	case s.h.Settings.Approve:
		return dropcap.HardenApproval
	case !s.window.Always():
		return dropcap.HardenWindow
	}
	return dropcap.HardenApplying
}

// unattributed reports whether something went wrong of which nobody knows the capability.
func unattributed(t dropcap.Trial) bool {
	for _, l := range t.Lifted {
		if l.By == nil {
			return true
		}
	}
	return len(t.Lifted) == 0
}

func lifted(t dropcap.Trial) (all caps.Set) {
	for _, l := range t.Lifted {
		all |= l.Caps
	}
	return all
}

// tried returns for how long, in seconds, one container has run while all of these were denied to
// it. A trial that lost denials does not count.
func (s *step) tried(drop caps.Set) int64 {
	by := map[string]int64{}
	for _, t := range s.v.Tried {
		running := s.v.trying() && t.Trial == s.v.Trial.ID
		if drop.Minus(t.Caps).Empty() && t.Lost == 0 && !running {
			by[t.Container] += t.Seconds
		}
	}
	if t := s.v.Trial; s.v.trying() && drop.Minus(t.Denied).Empty() && t.Lost == 0 {
		by[t.Container] += t.Seconds
	}
	var longest int64
	for _, seconds := range by {
		longest = max(longest, seconds)
	}
	return longest
}

// applying waits for the end of a change, and begins it again where nothing is left of it.
func (s *step) applying() Action {
	c := s.v.Change
	switch {
	case c != nil && c.ID != s.h.Change && !c.State.Over():
		return Action{Deed: Recover}
	case c != nil && c.ID != s.h.Change:
		return s.changed(*c)
	case s.v.Failed != nil:
		e := dropcap.AsError(s.v.Failed)
		s.h.Resume = dropcap.HardenWindow
		s.heldUp(e.Message, e.Hint, Again)
		return Action{}
	}
	// dropcap ended before the change began
	s.to(dropcap.HardenWindow, "it was interrupted before the change")
	return s.ready()
}

// changed goes on after a change.
func (s *step) changed(c dropcap.Change) Action {
	s.h.Change = c.ID
	switch c.State {
	case dropcap.Applied:
		s.h.Dropped, s.h.Watched = droppedBy(c, s.h.Workload), 0
		s.h.Holds = s.v.Holds
		s.to(dropcap.HardenWatching, "it was changed: it has lost "+s.h.Dropped.Short())
		return s.watching()
	case dropcap.RolledBack:
		if cutOff(c) {
			s.to(dropcap.HardenWindow, "the change was interrupted, and rolled back")
			return s.ready()
		}
		return s.failed("the change was rolled back: " + c.Because)
	case dropcap.NeedsPerson:
		s.heldUp("a person is needed: "+c.Because, "`dropcap history "+c.ID+"` tells; "+
			"`dropcap recover` ends it; then `dropcap harden resume "+s.h.Workload+"`", 0)
	default:
		s.heldUp("somebody backed change "+c.ID+" out", "`dropcap harden resume "+
			s.h.Workload+"` begins again", 0)
	}
	return Action{}
}

// cutOff reports whether a change was rolled back because dropcap was told to end, or was killed:
// that says nothing about the workload.
func cutOff(c dropcap.Change) bool {
	return strings.Contains(c.Because, "interrupted: ") ||
		strings.HasPrefix(c.Because, "dropcap ended ")
}

// droppedBy is what the containers of a workload lost by a change.
func droppedBy(c dropcap.Change, workload string) (set caps.Set) {
	for _, o := range c.Containers() {
		if o.Workload == workload {
			set |= o.Was.Holds.Minus(o.Is.Holds)
		}
	}
	return set
}

// failed counts an attempt, and tries again later or needs a person.
func (s *step) failed(why string) Action {
	s.h.Attempts++
	s.h.Resume = dropcap.HardenLearning
	if s.h.Attempts >= MostAttempts {
		s.heldUp(why, "see `dropcap history` and `docker logs`; `dropcap trial` tries single "+
			"capabilities; `dropcap harden resume "+s.h.Workload+"` begins again", 0)
		return Action{}
	}
	s.heldUp(why, "it is tried again by itself", Again)
	return Action{}
}

// watching takes the change back where something is missed.
func (s *step) watching() Action {
	c := s.v.Change
	if c != nil && c.ID != s.h.Change && !c.State.Over() {
		s.wait("somebody's change to end", dropcap.HardenWatching, time.Time{})
		return Action{}
	}
	if c != nil && c.ID != s.h.Change { // somebody has changed it, or backed something else out
		s.h.Change, s.h.Backing = c.ID, ""
		if c.State == dropcap.Applied {
			s.h.Dropped = s.h.Dropped | droppedBy(*c, s.h.Workload)
		}
	}
	switch {
	case c != nil && !c.State.Over():
		return Action{Deed: Recover}
	case s.h.Backing != "":
		return s.backing()
	case c != nil && c.State == dropcap.BackedOut:
		s.h.Dropped = 0
		s.to(dropcap.HardenStopped, "somebody backed the change out")
		return Action{}
	case c != nil && c.State == dropcap.NeedsPerson:
		return s.changed(*c)
	case s.v.Running > 0 && !(s.v.Holds & s.h.Dropped).Empty():
		return s.reverted()
	case s.v.Denied != "":
		s.h.Missed |= s.v.Missed & s.h.Dropped
		return s.back(s.v.Denied)
	case s.v.Unwell != "":
		return s.back(s.v.Unwell)
	}
	if s.v.Running > 0 {
		s.h.Watched += int64(s.v.Elapsed / time.Second)
	}
	if left := s.h.Settings.Watch - s.h.Watched; left > 0 {
		s.wait("it to go on well: "+Span(s.h.Watched)+" of "+Span(s.h.Settings.Watch),
			dropcap.HardenDone, s.now.Add(time.Duration(left)*time.Second))
		return Action{}
	}
	s.to(dropcap.HardenDone, "it has gone on well for "+Span(s.h.Watched)+" without "+
		s.h.Dropped.Short())
	s.wait("another revision of it", dropcap.HardenLearning, time.Time{})
	return Action{}
}

// back begins to take the change back.
func (s *step) back(why string) Action {
	s.h.Backing = why
	s.h.Because = "the change is backed out: " + why
	s.event("backing out: " + why)
	s.wait("the former container to run again", dropcap.HardenHeldUp, time.Time{})
	return Action{Deed: Backout}
}

// backing goes on until the change is taken back.
func (s *step) backing() Action {
	c := s.v.Change
	switch {
	case c == nil || c.State == dropcap.NeedsPerson:
		s.h.Backing = ""
		s.heldUp("the change could not be backed out, and a person is needed",
			"`dropcap history` tells; then `dropcap harden resume "+s.h.Workload+"`", 0)
		return Action{}
	case c.State != dropcap.BackedOut:
		if s.v.Failed != nil {
			s.h.Remedy = dropcap.AsError(s.v.Failed).Message
		}
		return Action{Deed: Backout}
	}
	why := s.h.Backing
	s.h.Backing, s.h.Dropped = "", 0
	s.h.Attempts++
	s.h.Holds = s.v.Holds
	if s.h.Settings.AddBack && !s.h.Missed.Empty() && s.h.Attempts < MostAttempts {
		s.to(dropcap.HardenWindow, "it was backed out: "+why+"; it keeps "+s.h.Missed.Short())
		return s.ready()
	}
	s.h.Resume = dropcap.HardenLearning
	hint := "`dropcap harden resume " + s.h.Workload + "` begins again"
	if !s.h.Missed.Empty() {
		hint += " and keeps " + s.h.Missed.Short()
	}
	s.heldUp("it was backed out: "+why, hint, 0)
	return Action{}
}
