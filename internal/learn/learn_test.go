package learn

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"dropcap/caps"
)

func TestRunningContainersAreRecordedAndKept(t *testing.T) {
	s := newStage()
	s.add("web", 7)
	got := s.record(t, Query{Host: "h"}, func() {
		s.count(7, caps.Chown, "/bin/chown")
		s.count(99, caps.Kill, "/bin/kill")
	})
	w := got["docker:web"]
	if w.Required != caps.Of(caps.Chown) || len(got) != 1 {
		t.Errorf("required %s of %d workloads; another cgroup's checks must not count", w.Required,
			len(got))
	}
	if src := w.Sources[0]; src.StartsCold+src.StartsWarm != 0 || src.Host.ID != "h" {
		t.Errorf("source %+v: its start was not seen", src)
	}
	if s.kept["docker:web"].Required != w.Required {
		t.Errorf("kept %s", s.kept["docker:web"].Required)
	}
}

// A container that is gone before anybody could look is known by the engine's event at its
// creation, and by its cgroup's name.
func TestAContainerOfMillisecondsIsAttributedByItsCgroupsName(t *testing.T) {
	s := newStage()
	id := s.add("short", 0)
	got := s.record(t, Query{}, func() {
		s.events <- Event{Action: "create", ID: id, Time: time.Now()}
		s.pass()
		s.locked(func() {
			delete(s.containers, id)
			s.sightings = append(s.sightings, Sighting{Cgroup: 5, Name: "docker-" + id + ".scope",
				Ancestors: []uint64{1}})
		})
		s.count(5, caps.Chown, "/bin/chown")
		s.events <- Event{Action: "start", ID: id, Time: time.Now()}
		s.events <- Event{Action: "die", ID: id, Time: time.Now()}
	})
	w := got["docker:short"]
	if w.Required != caps.Of(caps.Chown) {
		t.Fatalf("required %s", w.Required)
	}
	if src := w.Sources[0]; src.StartsCold != 1 || src.Stops != 1 {
		t.Errorf("source %+v, want a cold start and a stop", src)
	}
}

// A container that creates a cgroup named like another container's below its own is not believed.
func TestALookAlikeCgroupIsNotAttributed(t *testing.T) {
	s := newStage()
	s.add("evil", 7)
	victim := s.add("victim", 8)
	got := s.record(t, Query{}, func() {
		s.locked(func() {
			s.sightings = append(s.sightings, Sighting{Cgroup: 70, Name: victim,
				Ancestors: []uint64{7, 1}})
		})
		s.count(70, caps.SysAdmin, "/bin/evil")
	})
	if w := got["docker:victim"]; len(w.Needs) != 0 {
		t.Errorf("needs %+v", w.Needs)
	}
}

func TestARestartHasPhasesAndItsCountersAreFreed(t *testing.T) {
	s := newStage()
	id := s.add("web", 7)
	s.ran[id] = true
	got := s.record(t, Query{}, func() {
		s.count(7, caps.Chown, "/bin/chown")
		s.events <- Event{Action: "kill", ID: id, Signal: "15", Time: time.Now()}
		s.events <- Event{Action: "die", ID: id, Time: time.Now()}
		s.pass()
		s.locked(func() { s.cgroups[id] = 8 })
		s.events <- Event{Action: "start", ID: id, Time: time.Now()}
		s.pass()
		s.count(8, caps.Chown, "/bin/chown")
	})
	w := got["docker:web"]
	if len(w.Needs) != 1 || w.Needs[0].Count != 6 {
		t.Errorf("needs %+v, want the checks before and after the restart", w.Needs)
	}
	if src := w.Sources[0]; src.StartsWarm != 1 || src.StartsCold != 0 || src.Stops != 1 {
		t.Errorf("source %+v", src)
	}
	if fmt.Sprint(s.forgotten) != "[7]" {
		t.Errorf("forgot %v", s.forgotten)
	}
	if all := strings.Join(s.phases, " "); all != "7=run 7=stop 8=start" {
		t.Errorf("phases %s", all)
	}
}

func TestWhatAWrittenProgramShowsIsFlagged(t *testing.T) {
	s := newStage()
	s.add("web", 7)
	got := s.record(t, Query{}, func() { s.pass(); s.count(7, caps.Chown, "/tmp/evil") })
	if n := got["docker:web"].Needs; len(n) != 1 || !n[0].Flagged {
		t.Errorf("needs %+v, want one that is flagged", n)
	}
}

func TestAStartBeforeTheRecordingWasNotSeen(t *testing.T) {
	s := newStage()
	id := s.add("web", 7)
	got := s.record(t, Query{}, func() {
		s.events <- Event{Action: "start", ID: id, Time: time.Now().Add(-time.Minute)}
	})
	if src := got["docker:web"].Sources[0]; src.StartsCold != 0 {
		t.Errorf("source %+v claims a start that was not watched", src)
	}
}

// It was created and started a moment before the recording began. The engine still sends that: its
// next start is another one.
func TestAStartOfAMomentBeforeIsTheFirst(t *testing.T) {
	s := newStage()
	id := s.add("web", 7)
	before := time.Now().Add(-500 * time.Millisecond)
	s.events <- Event{Action: "create", ID: id, Time: before}
	s.events <- Event{Action: "start", ID: id, Time: before}
	got := s.record(t, Query{}, func() {
		s.pass()
		s.events <- Event{Action: "die", ID: id, Time: time.Now()}
		s.locked(func() { s.cgroups[id] = 8 })
		s.events <- Event{Action: "start", ID: id, Time: time.Now()}
	})
	if src := got["docker:web"].Sources[0]; src.StartsCold != 0 || src.StartsWarm != 1 {
		t.Errorf("%+v, want a warm start", src)
	}
}

// A container that was created before the recording and never started has its first start now,
// however late the engine is asked about it.
func TestTheFirstStartOfWhatWasMadeBefore(t *testing.T) {
	s := newStage()
	id := s.add("job", 0)
	s.locked(func() {
		c := s.containers[id]
		c.State = "created"
		s.containers[id] = c
	})
	got := s.record(t, Query{}, func() {
		s.locked(func() {
			s.ran[id] = true // it has ended before anybody looks
			s.sightings = append(s.sightings, Sighting{Cgroup: 5, Name: id})
		})
		s.count(5, caps.Chown, "/bin/x")
		at := time.Now()
		s.events <- Event{Action: "start", ID: id, Time: at, At: at}
		s.events <- Event{Action: "die", ID: id, Time: at.Add(4 * time.Second),
			At: at.Add(3 * time.Second)}
	})
	if src := got["docker:job"].Sources[0]; src.StartsCold != 1 || src.StartsWarm != 0 ||
		src.Seconds != 4 {
		t.Errorf("%+v, want a cold start and four seconds", src)
	}
}

// The engine also sends what happened shortly before. What had ended by then, or ended just as the
// recording began, was never part of it: it leaves neither evidence nor a warning that something is
// missing.
func TestWhatEndedBeforeTheRecordingIsNoPartOfIt(t *testing.T) {
	s := newStage()
	s.add("web", 7)
	past, listed, dying := s.add("past", 0), s.add("listed", 8), s.add("dying", 9)
	s.locked(func() { // the listed ones are gone when they are looked at, or a moment later
		c := s.containers[listed]
		c.State = "exited"
		s.containers[listed], s.dead = c, map[string]bool{dying: true}
	})
	before := time.Now().Add(-500 * time.Millisecond)
	s.events <- Event{Action: "start", ID: past, Time: before}
	s.events <- Event{Action: "die", ID: past, Time: before}
	s.events <- Event{Action: "die", ID: listed, Time: time.Now()}
	s.events <- Event{Action: "die", ID: dying, Time: time.Now()}
	got := s.record(t, Query{Warn: func(err error) { t.Errorf("warned: %v", err) }}, func() {})
	if _, there := got["docker:web"]; !there || len(got) != 1 {
		t.Errorf("evidence of %d workloads, want that of web alone", len(got))
	}
}

// What the engine has sent when the recording ends is part of it, however far behind the recording
// is.
func TestWhatWasToldBeforeTheEndIsRecorded(t *testing.T) {
	s := newStage()
	id := s.add("brief", 0)
	ctx, end := context.WithCancel(t.Context())
	begun := func() {
		s.locked(func() { s.sightings = []Sighting{{Cgroup: 5, Name: id}} })
		s.count(5, caps.Chown, "/bin/chown")
		for _, action := range []string{"create", "start", "die"} {
			s.events <- Event{Action: action, ID: id, Time: time.Now()}
		}
		end()
	}
	list, err := Run(ctx, s, s, s, Query{Tick: time.Hour, Begun: begun})
	if err != nil || len(list) != 1 || list[0].Required != caps.Of(caps.Chown) {
		t.Errorf("%v, %+v, want one that needs CHOWN", err, list)
	}
}

func TestOnlyNamedContainersAreRecorded(t *testing.T) {
	s := newStage()
	id := s.add("web", 7)
	s.add("db", 8)
	got := s.record(t, Query{Only: map[string]bool{id: true}}, func() {
		s.count(8, caps.Kill, "/bin/kill")
	})
	if len(got) != 1 {
		t.Errorf("recorded %d", len(got))
	}
}

func TestLossLowersNothingSilently(t *testing.T) {
	s := newStage()
	s.add("web", 7)
	got := s.record(t, Query{}, func() {
		s.locked(func() { s.loss = Loss{Checks: 5, Of: map[uint64]uint64{7: 4}, Unknown: true} })
	})
	if src := got["docker:web"].Sources[0]; src.Lost != 4 || !src.LossUnknown {
		t.Errorf("source %+v", src)
	}
}

func TestUntilStopped(t *testing.T) {
	s := newStage()
	id := s.add("job", 7)
	go func() {
		s.pass()
		s.events <- Event{Action: "die", ID: id, Time: time.Now()}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := Run(t.Context(), s, s, s, Query{Tick: 5 * time.Millisecond,
			Until: func(x Session) bool {
				return x.Containers > 0 && x.Live == 0
			}})
		if err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("did not end with its only container")
	}
}

func TestFileCapabilitiesAreRequiredThoughNeverChecked(t *testing.T) {
	s := newStage()
	id := s.add("caddy", 7)
	s.details[id] = Details{Entry: "caddy"}
	got := s.record(t, Query{}, func() {})
	if w := got["docker:caddy"]; w.Required != caps.Of(caps.NetBindService) {
		t.Errorf("required %s", w.Required)
	}
}

func TestOnlyWhatWasAskedForIsWatchedOn(t *testing.T) {
	s := newStage()
	web, other := s.add("web", 0), strings.Repeat("f", 64)
	got := s.record(t, Query{Host: "h", Only: map[string]bool{web: true}}, func() {
		s.locked(func() {
			s.sightings = []Sighting{{Cgroup: 9, Name: web, Ancestors: []uint64{2, 1}}}
		})
		s.count(9, caps.Chown, "/bin/chown")
		s.pass()
		s.locked(func() { s.cgroups[web] = 9 })
		s.events <- Event{Action: "start", ID: web, Time: time.Now()}
		s.pass()
		s.locked(func() {
			s.sightings = []Sighting{
				{Cgroup: 8, Name: "docker-" + other + ".scope", Ancestors: []uint64{2, 1}},
				{Cgroup: 10, Name: other, Ancestors: []uint64{9, 2, 1}},
			}
		})
	})
	if w := got["docker:web"]; w.Required != caps.Of(caps.Chown) {
		t.Errorf("required %s, want what was seen before the engine told of the start", w.Required)
	}
	if fmt.Sprint(s.off) != "[8]" {
		t.Errorf("turned off %v, want another's alone, and nothing below what is watched", s.off)
	}
}

func TestTheNextStartIsSeenBeforeTheEndIsTold(t *testing.T) {
	s := newStage()
	web := s.add("web", 7)
	got := s.record(t, Query{Host: "h"}, func() {
		s.count(7, caps.Kill, "/bin/kill")
		s.pass()
		s.locked(func() {
			s.sightings = []Sighting{{Cgroup: 8, Name: web}}
			delete(s.cgroups, web) // nor can its processes be looked at when its start is reported
		})
		s.pass()
		s.count(8, caps.Chown, "/bin/chown")
		now := time.Now()
		s.events <- Event{Action: "die", ID: web, Time: now}
		s.events <- Event{Action: "start", ID: web, Time: now}
		s.pass()
		s.events <- Event{Action: "die", ID: web, Time: time.Now()}
	})
	if w := got["docker:web"]; w.Required != caps.Of(caps.Chown, caps.Kill) {
		t.Errorf("required %s, want what both runs showed", w.Required)
	}
}

func TestCompleteIsSaidOfWhatWasExercisedOnly(t *testing.T) {
	s := newStage()
	s.add("bystander", 7)
	id := s.add("tested", 0)
	got := s.record(t, Query{Complete: true}, func() {
		s.locked(func() {
			c := s.containers[id]
			c.State = "running"
			s.containers[id], s.cgroups[id] = c, 8
		})
		s.count(7, caps.Chown, "/bin/chown")
		s.count(8, caps.Chown, "/bin/chown")
		s.events <- Event{Action: "start", ID: id, Time: time.Now()}
	})
	if len(got) != 2 {
		t.Fatalf("recorded %d", len(got))
	}
	if got["docker:bystander"].Sources[0].Complete || !got["docker:tested"].Sources[0].Complete {
		t.Errorf("complete: bystander %v, tested %v", got["docker:bystander"].Sources[0].Complete,
			got["docker:tested"].Sources[0].Complete)
	}
}
