package harden

import (
	"fmt"
	"time"

	"dropcap"
)

// to enters a state.
func (s *step) to(state dropcap.HardenState, because string) {
	s.h.State, s.h.Because, s.h.Remedy = state, because, ""
	s.h.Since, s.h.NextAt, s.h.Next, s.h.Waiting, s.h.Resume = stamp(s.now), "", "", "", ""
	s.event(string(state) + ": " + because)
}

// into enters a state unless it is there already.
func (s *step) into(state dropcap.HardenState, because string) {
	if s.h.State != state {
		s.to(state, because)
	}
}

// intoAs is into, and says why also if it is there already.
func (s *step) intoAs(state dropcap.HardenState, because string) {
	s.into(state, because)
	s.h.Because = because
}

// heldUp waits for a remedy; it looks again by itself after that time, or not at all if that is 0.
func (s *step) heldUp(why, remedy string, again time.Duration) {
	resume := s.h.Resume
	if resume == "" {
		resume = dropcap.HardenLearning
	}
	if s.h.State != dropcap.HardenHeldUp || s.h.Because != why {
		s.to(dropcap.HardenHeldUp, why)
	}
	s.h.Remedy, s.h.Resume = remedy, resume
	if again == 0 {
		s.wait("a person", resume, time.Time{})
		return
	}
	s.wait("what holds it up to be mended", resume, s.now.Add(again))
}

// heldUpStill looks again when it is time, as if it were in the state to resume.
func (s *step) heldUpStill() Action {
	if s.h.NextAt == "" || !s.reached(s.h.NextAt) {
		return Action{}
	}
	resume := s.h.Resume
	if resume == dropcap.HardenTrying && s.tries() {
		return s.ready()
	}
	if s.h.Learned = s.v.Learned; s.v.Learned < s.h.Settings.Learn {
		s.to(dropcap.HardenLearning, "it is looked at again")
		return s.learning()
	}
	return s.ready()
}

// wait says what it waits for, what comes then, and when; zero if nobody knows.
func (s *step) wait(what string, next dropcap.HardenState, at time.Time) {
	s.h.Waiting, s.h.Next, s.h.NextAt = what, next, ""
	if !at.IsZero() {
		s.h.NextAt = stamp(at)
	}
}

// reached reports whether that time has come, or is further away than anybody would have set it:
// then the clock was set back.
func (s *step) reached(at string) bool {
	t, err := time.Parse(time.RFC3339, at)
	return err != nil || !s.now.Before(t) || t.Sub(s.now) > 2*Again
}

// since is for how long it is in its state, also if the clock was set back meanwhile.
func (s *step) since() time.Duration {
	t, err := time.Parse(time.RFC3339, s.h.Since)
	if err != nil {
		return 0
	}
	return s.now.Sub(t).Abs()
}

func (s *step) event(text string) {
	e := dropcap.Event{At: stamp(s.now), Event: text}
	s.h.Timeline = append(s.h.Timeline[:len(s.h.Timeline):len(s.h.Timeline)], e)
	if n := len(s.h.Timeline); n > mostEvents {
		s.h.Timeline = append([]dropcap.Event(nil), s.h.Timeline[n-mostEvents:]...)
	}
}

func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// Span formats seconds as people write them: "3d4h", "2h10m", "45s".
func Span(seconds int64) string {
	d, h, m := seconds/86400, seconds/3600%24, seconds/60%60
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", max(seconds, 0))
	case seconds < 3600 && seconds%60 != 0:
		return fmt.Sprintf("%dm%ds", m, seconds%60)
	case seconds < 3600:
		return fmt.Sprintf("%dm", m)
	case d == 0 && m != 0:
		return fmt.Sprintf("%dh%dm", h, m)
	case d == 0:
		return fmt.Sprintf("%dh", h)
	case h != 0:
		return fmt.Sprintf("%dd%dh", d, h)
	}
	return fmt.Sprintf("%dd", d)
}
