package harden

import (
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

const hour = time.Hour

func TestFromFourteenToThree(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown, caps.Setuid, caps.Setgid)
	s.harden("web", day)
	r := s.run(s.runner(), 25*hour)
	s.want("web", dropcap.HardenTrying)
	r = s.run(r, 24*hour)
	s.want("web", dropcap.HardenWindow)
	if h := s.rows["docker:web"]; h.NextAt != "2026-03-05T02:00:00Z" {
		t.Errorf("next at %s", h.NextAt)
	}
	r = s.run(r, 14*hour)
	s.want("web", dropcap.HardenWatching)
	if web.holds != caps.Of(caps.Chown, caps.Setuid, caps.Setgid) {
		t.Errorf("holds %s", web.holds.Short())
	}
	s.run(r, 7*24*hour)
	s.want("web", dropcap.HardenDone)
	if s.changes != 1 {
		t.Errorf("%d changes", s.changes)
	}
}

// It needs more than was seen, once a day and a half: the trial lifts that, and it is kept.
func TestWhatATrialLiftsIsKept(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown)
	web.uses[caps.Kill] = 36 * hour
	s.harden("web", day)
	s.run(s.runner(), 70*hour)
	s.want("web", dropcap.HardenWatching)
	if web.holds != caps.Of(caps.Chown, caps.Kill) || s.changes != 1 {
		t.Errorf("holds %s after %d changes", web.holds.Short(), s.changes)
	}
}

func TestADenialAfterTheChangeBacksItOut(t *testing.T) {
	for _, back := range []bool{false, true} {
		s := newStage(t)
		web := s.add("web", caps.Chown)
		web.uses[caps.Kill] = 90 * hour
		set := day
		set.AddBack = back
		s.harden("web", set)
		r := s.run(s.runner(), 90*hour-time.Minute)
		s.want("web", dropcap.HardenWatching)
		r = s.run(r, 2*time.Minute)
		if web.holds != caps.DockerDefaults {
			t.Fatalf("holds %s", web.holds.Short())
		}
		if !back {
			s.want("web", dropcap.HardenHeldUp)
			h := s.rows["docker:web"]
			if !strings.Contains(h.Because, "x needed KILL") ||
				!strings.Contains(h.Remedy, "resume") {
				t.Errorf("because %q, remedy %q", h.Because, h.Remedy)
			}
			continue
		}
		s.want("web", dropcap.HardenWindow)
		s.run(r, 24*hour)
		s.want("web", dropcap.HardenWatching)
		if web.holds != caps.Of(caps.Chown, caps.Kill) {
			t.Errorf("holds %s", web.holds.Short())
		}
	}
}

func TestIllHealthAfterTheChangeBacksItOut(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown)
	s.harden("web", day)
	r := s.run(s.runner(), 80*hour)
	web.unwell = "it is unhealthy"
	s.run(r, time.Minute)
	s.want("web", dropcap.HardenHeldUp)
	if web.holds != caps.DockerDefaults {
		t.Errorf("holds %s", web.holds.Short())
	}
}

func TestARolledBackChangeIsTriedAgainAndNotForEver(t *testing.T) {
	s := newStage(t)
	s.add("web", caps.Chown)
	s.harden("web", day)
	s.breaks = 5
	s.run(s.runner(), 10*24*hour)
	s.want("web", dropcap.HardenHeldUp)
	if h := s.rows["docker:web"]; s.changes != MostAttempts || h.NextAt != "" ||
		!strings.Contains(h.Because, "did not become healthy") {
		t.Errorf("%d changes, %q, next at %q", s.changes, h.Because, h.NextAt)
	}
}

// An update of dropcap, or a reboot, in the middle of a change is nobody's failure.
func TestAnInterruptedChangeDoesNotCount(t *testing.T) {
	s := newStage(t)
	s.add("web", caps.Chown)
	s.harden("web", day)
	s.breaks, s.why = MostAttempts+2, "finish: interrupted: context canceled"
	s.run(s.runner(), 80*hour)
	s.want("web", dropcap.HardenWatching)
	if h := s.rows["docker:web"]; h.Attempts != 0 {
		t.Errorf("%d attempts", h.Attempts)
	}
}

func TestANewRevisionBeginsAgainAndStopsItsTrial(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown)
	s.harden("web", day)
	r := s.run(s.runner(), 30*hour)
	s.want("web", dropcap.HardenTrying)
	web.revision++
	web.learned, web.seen, web.tried = 0, 0, nil
	r = s.run(r, time.Minute)
	s.want("web", dropcap.HardenLearning)
	r = s.run(r, time.Minute)
	if web.trying() {
		t.Error("the trial of the former revision goes on")
	}
	s.run(r, 80*hour)
	s.want("web", dropcap.HardenWatching)
}

// Somebody makes the container again from its unchanged file: what is known still holds.
func TestWhatIsUndoneByOthersIsDoneAgainAndNotForEver(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown)
	s.harden("web", day)
	r := s.run(s.runner(), 70*hour)
	s.want("web", dropcap.HardenWatching)
	for range MostReverted - 1 {
		web.holds = web.declared
		r = s.run(r, 24*hour)
		s.want("web", dropcap.HardenWatching)
	}
	web.holds = web.declared
	s.run(r, 24*hour)
	s.want("web", dropcap.HardenHeldUp)
	if h := s.rows["docker:web"]; !strings.Contains(h.Remedy, "dropcap plan") || web.holds !=
		web.declared {
		t.Errorf("remedy %q, holds %s", h.Remedy, web.holds.Short())
	}
}

func TestAWorkloadThatGoesAndComes(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown)
	s.harden("web", day)
	r := s.run(s.runner(), 10*hour)
	web.gone = true
	r = s.run(r, 5*time.Minute)
	s.want("web", dropcap.HardenLearning)
	r = s.run(r, 10*time.Minute)
	s.want("web", dropcap.HardenGone)
	web.gone = false
	s.run(r, time.Minute)
	s.want("web", dropcap.HardenLearning)
}

func TestAHostThatCannotTryNeedsHighConfidence(t *testing.T) {
	s := newStage(t)
	s.cannotTry, s.sure = "it refuses trampolines", false
	web := s.add("web", caps.Chown)
	s.harden("web", day)
	r := s.run(s.runner(), 30*hour)
	s.want("web", dropcap.HardenLearning)
	h := s.rows["docker:web"]
	if !strings.Contains(h.Because, "refuses trampolines") ||
		!strings.Contains(h.Waiting, "02:00") {
		t.Errorf("because %q, waits for %q", h.Because, h.Waiting)
	}
	r = s.run(r, 24*hour) // it is restarted in the window, and is sure then
	s.want("web", dropcap.HardenWatching)
	if web.restarts != 1 {
		t.Errorf("%d restarts", web.restarts)
	}
	s.run(r, time.Hour)
}

func TestAStartIsMadeToBeSeen(t *testing.T) {
	s := newStage(t)
	s.starts = true
	web := s.add("web", caps.Chown)
	s.harden("web", day)
	r := s.run(s.runner(), 25*hour)
	s.want("web", dropcap.HardenLearning)
	s.run(r, 20*hour)
	s.want("web", dropcap.HardenTrying)
	if web.restarts != 1 {
		t.Errorf("%d restarts", web.restarts)
	}
}

// Whoever accepts what is known still has it seen starting, if that can be had.
func TestAStartIsMadeToBeSeenWhateverIsAccepted(t *testing.T) {
	s := newStage(t)
	s.starts, s.cannotTry, s.sure = true, "it refuses trampolines", false
	web := s.add("web", caps.Chown)
	set := day
	set.AcceptLow = true
	s.harden("web", set)
	s.run(s.runner(), 45*hour)
	s.want("web", dropcap.HardenWatching)
	if web.restarts != 1 {
		t.Errorf("%d restarts", web.restarts)
	}
}

func TestARefusalIsToldWithItsRemedyAndLookedAtAgain(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown)
	web.refused = "cannot re-create it: it was started with --rm"
	s.harden("web", day)
	r := s.run(s.runner(), 25*hour)
	s.want("web", dropcap.HardenHeldUp)
	if h := s.rows["docker:web"]; h.Because != web.refused || h.Remedy != "mend it" {
		t.Errorf("because %q, remedy %q", h.Because, h.Remedy)
	}
	events := len(s.rows["docker:web"].Timeline)
	r = s.run(r, 30*hour)
	if n := len(s.rows["docker:web"].Timeline); n != events {
		t.Errorf("the timeline grew from %d to %d while nothing happened", events, n)
	}
	web.refused = ""
	s.run(r, 2*hour)
	s.want("web", dropcap.HardenTrying)
}

func TestApproval(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown)
	set := day
	set.Approve, set.Window = true, ""
	s.harden("web", set)
	r := s.run(s.runner(), 60*hour)
	s.want("web", dropcap.HardenApproval)
	h, err := Approve(s.clock, s.rows["docker:web"])
	if err != nil {
		t.Fatal(err)
	}
	s.rows["docker:web"] = h
	s.run(r, time.Minute)
	s.want("web", dropcap.HardenWatching)
	if web.holds != caps.Of(caps.Chown) {
		t.Errorf("holds %s", web.holds.Short())
	}
}

func TestAPauseLiftsTheTrialAndAStopToo(t *testing.T) {
	type wish = func(time.Time, dropcap.Hardening) (dropcap.Hardening, error)
	for _, end := range []wish{Pause, Stop} {
		s := newStage(t)
		web := s.add("web", caps.Chown)
		s.harden("web", day)
		r := s.run(s.runner(), 30*hour)
		h, err := end(s.clock, s.rows["docker:web"])
		if err != nil || !web.trying() {
			t.Fatal(err, web.trying())
		}
		s.rows["docker:web"] = h
		r = s.run(r, time.Minute)
		if web.trying() {
			t.Errorf("the trial goes on while it is %s", h.State)
		}
		r = s.run(r, 100*hour)
		if s.changes > 0 {
			t.Errorf("it was changed while it was %s", h.State)
		}
		if s.rows["docker:web"], err = Resume(s.clock, s.rows["docker:web"]); err != nil {
			t.Fatal(err)
		}
		s.run(r, 60*hour)
		s.want("web", dropcap.HardenWatching)
	}
}

func TestATrialThatAPersonEndsIsNotBegunAgain(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown)
	s.harden("web", day)
	r := s.run(s.runner(), 30*hour)
	s.ended(web, dropcap.TrialStopped, "a person ended it (dropcap trial --stop)")
	r = s.run(r, 50*hour)
	s.want("web", dropcap.HardenPaused)
	h, err := Resume(s.clock, s.rows["docker:web"])
	if err != nil {
		t.Fatal(err)
	}
	s.rows["docker:web"] = h
	s.run(r, time.Minute)
	if s.want("web", dropcap.HardenTrying); !web.trying() {
		t.Error("it is not tried again")
	}
}

func TestThreeSickTrialsNeedAPerson(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown)
	web.sick = "it became unhealthy"
	s.harden("web", day)
	s.run(s.runner(), 100*hour)
	s.want("web", dropcap.HardenHeldUp)
	if h := s.rows["docker:web"]; h.NextAt != "" || h.Attempts != MostAttempts || s.changes > 0 {
		t.Errorf("%+v", h)
	}
}

// A full disk, an engine that is away, and clocks that jump: nothing is done that is not stored.
func TestNothingIsDoneThatCannotBeStored(t *testing.T) {
	s := newStage(t)
	web := s.add("web", caps.Chown)
	s.harden("web", day)
	r := s.run(s.runner(), 23*hour)
	s.full = true
	r = s.run(r, 40*hour)
	if web.trial != nil || s.changes > 0 {
		t.Fatal("something was done")
	}
	s.full, s.down = false, true
	r = s.run(r, 10*hour)
	if web.trial != nil {
		t.Fatal("something was done")
	}
	s.down = false
	r = s.run(r, 10*hour)
	s.want("web", dropcap.HardenTrying)
	s.clock = s.clock.AddDate(-1, 0, 0)
	r = s.run(r, 50*hour)
	s.want("web", dropcap.HardenWatching)
	s.clock = s.clock.AddDate(3, 0, 0)
	r = s.run(r, 2*hour)
	s.want("web", dropcap.HardenWatching) // a week is a week
	s.run(r, 7*24*hour)
	s.want("web", dropcap.HardenDone)
}

// Each of these is killed at each step of its way, and comes to the same end.
func TestKilledAtEachStep(t *testing.T) {
	for _, at := range []string{"before keep", "after keep", "before try", "after try",
		"before change", "within change", "after change", "before backout", "after backout"} {
		s := newStage(t)
		web := s.add("web", caps.Chown)
		web.uses[caps.Kill] = 90 * hour
		set := day
		set.AddBack = true
		s.harden("web", set)
		r := s.runner()
		for range 200 {
			s.crash = at
			r = s.run(r, hour)
		}
		s.crash = ""
		s.run(r, 8*24*hour)
		if s.state("web") != dropcap.HardenDone || web.holds != caps.Of(caps.Chown, caps.Kill) {
			t.Errorf("killed %s: %s, holds %s\n%s", at, s.state("web"), web.holds.Short(),
				strings.Join(s.said, "\n"))
		}
	}
}
