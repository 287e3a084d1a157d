package learn

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

// under counts a check under the phase that the recording last set for the cgroup.
func (s *stage) under(cgroup uint64, c caps.Cap, origin string) {
	phase := ""
	s.locked(func() {
		for _, p := range s.phases {
			if rest, ok := strings.CutPrefix(p, fmt.Sprint(cgroup, "=")); ok {
				phase = rest
			}
		}
	})
	s.count(cgroup, c, "/bin/x")
	s.locked(func() { last := &s.checks[len(s.checks)-1]; last.Phase, last.Origin = phase, origin })
}

func phasesOf(w dropcap.WorkloadEvidence) map[caps.Cap]string {
	m := map[caps.Cap]string{}
	for _, n := range w.Needs {
		m[n.Cap] = n.By[0].Phase
	}
	return m
}

func TestHealthchecksAreToldFromExecs(t *testing.T) {
	s := newStage()
	id := s.add("web", 7)
	s.details[id] = Details{Health: "the-check"}
	event := func(action, exec, ran string) {
		s.events <- Event{Action: action, ID: id, Exec: exec, Ran: ran, Time: time.Now()}
		s.pass()
	}
	got := s.record(t, Query{}, func() {
		s.pass()
		event("exec_create", "h", "the-check")
		event("exec_start", "h", "the-check")
		s.under(7, caps.Chown, dropcap.OriginExec)
		event("exec_die", "h", "")
		s.under(7, caps.Kill, dropcap.OriginInit)
		event("exec_create", "a", "a-shell")
		event("exec_start", "a", "a-shell")
		s.under(7, caps.SysChroot, dropcap.OriginExec)
		s.under(7, caps.Fowner, dropcap.OriginInit)
		event("exec_die", "a", "")
		s.under(7, caps.Setfcap, dropcap.OriginExec)
	})["docker:web"]
	want := map[caps.Cap]string{caps.Chown: "health", caps.Kill: "run", caps.SysChroot: "exec",
		caps.Fowner: "run", caps.Setfcap: "health"}
	if got := phasesOf(got); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("phases %v, want %v", got, want)
	}
	if got.Required.Has(caps.SysChroot) || !got.Required.Has(caps.Chown) {
		t.Errorf("required %s: a healthcheck's need is kept, an administrator's is not",
			got.Required)
	}
}

// The engine was unreachable: what ended meanwhile has ended, and what runs again is another run.
func TestWhatHappenedWhileTheEngineWasAway(t *testing.T) {
	s := newStage()
	ended, again := s.add("ended", 7), s.add("again", 8)
	got := s.record(t, Query{}, func() {
		s.count(7, caps.Chown, "/bin/x")
		s.count(8, caps.Chown, "/bin/x")
		s.pass()
		s.locked(func() { delete(s.cgroups, ended); s.cgroups[again] = 9 })
		s.events <- Event{Action: "reconnected", Time: time.Now()}
		s.pass()
		s.count(9, caps.Kill, "/bin/x")
	})
	if src := got["docker:ended"].Sources[0]; src.Stops != 1 {
		t.Errorf("ended: %+v", src)
	}
	if w := got["docker:again"]; w.Sources[0].Stops != 1 || w.Required != caps.Of(caps.Chown,
		caps.Kill) {
		t.Errorf("again: required %s, %+v", w.Required, w.Sources[0])
	}
}

// A service keeps nothing of what has ended, and loses nothing that the store refused for a while.
func TestServiceForgetsWhatHasEnded(t *testing.T) {
	s := newStage()
	s.full = errors.New("the disk is full")
	var mu sync.Mutex
	var said []string
	hear := func(text string) { mu.Lock(); defer mu.Unlock(); said = append(said, text) }
	const runs = 30
	r := s.recording(t, Query{Service: true, Warn: func(err error) {
		hear(err.Error())
	}, Say: func(f string, a ...any) { hear(fmt.Sprintf(f, a...)) }})
	for i := range uint64(runs) {
		id := s.add(fmt.Sprintf("job%d", i), 100+i)
		s.locked(func() {
			c := s.containers[id]
			c.Workload, c.Revision = "docker:job", "sha256:job"
			s.containers[id] = c
		})
		s.count(100+i, caps.Chown, "/bin/x")
		r.on(t.Context(), Event{Action: "start", ID: id, Time: time.Now()})
		r.awaitLooks(t.Context())
		r.on(t.Context(), Event{Action: "die", ID: id, Time: time.Now()})
		r.awaitLooks(t.Context())
		if err := r.sync(true); err != nil {
			t.Fatal(err)
		}
		r.awaitLooks(t.Context())
		for len(r.scans) > 0 {
			r.scanned(<-r.scanner.found)
		}
		if i == runs-1 {
			s.locked(func() { s.full = nil })
		}
		if err := r.keep(t.Context(), false); err != nil && i == runs-1 {
			t.Fatal(err)
		}
		if len(r.byID)+len(r.byCgroup) > 0 || len(r.done) > 1 {
			t.Fatalf("it still holds %d containers, %d cgroups, %d workloads", len(r.byID),
				len(r.byCgroup), len(r.done))
		}
	}
	n := 0
	s.locked(func() { n = s.keeps })
	if n != 2 || len(s.forgotten) != runs || len(s.checks) != 0 {
		// the postponed ones as one, and the last
		t.Errorf("kept %d, forgot %d, %d checks are left", n, len(s.forgotten), len(s.checks))
	}
	if all := strings.Join(said, "\n"); !strings.Contains(all, "evidence can be kept again") {
		t.Errorf("said %s", all)
	}
}

// A container that crashes and starts for weeks takes no more room than one that crashed once.
func TestACrashLoopDoesNotGrow(t *testing.T) {
	s := newStage()
	id := s.add("loop", 7)
	r := s.recording(t, Query{})
	for i := range uint64(300) {
		s.locked(func() { s.cgroups[id] = 100 + i })
		r.on(t.Context(), Event{Action: "start", ID: id, Time: time.Now()})
		r.awaitLooks(t.Context())
		s.count(100+i, caps.Chown, "/bin/x")
		r.on(t.Context(), Event{Action: "die", ID: id, Time: time.Now()})
	}
	if err := r.sync(true); err != nil {
		t.Fatal(err)
	}
	r.awaitLooks(t.Context())
	w := r.byID[id]
	if len(w.past.Needs) != 1 || w.past.Needs[0].Count != 900 || len(w.past.Needs[0].By) != 1 ||
		len(w.now) != 0 || len(r.byCgroup) != 0 {
		t.Errorf("%d needs, %+v; %d checks, %d cgroups", len(w.past.Needs), w.past.Needs[0],
			len(w.now), len(r.byCgroup))
	}
	if w.source.Stops != 300 || w.source.StartsCold != 1 {
		t.Errorf("%+v", w.source)
	}
}

// Another engine's containers are ignored after a while, and what is kept of them is freed again
// and again.
func TestStrangersAreForgotten(t *testing.T) {
	s := newStage()
	r := s.recording(t, Query{})
	s.sightings = []Sighting{{Cgroup: 50, Name: strings.Repeat("a", 64)}}
	if err := r.sightings(); err != nil || len(r.pending) != 1 {
		t.Fatalf("%d wait, %v", len(r.pending), err)
	}
	r.pending[0].since = time.Now().Add(-patience - time.Second)
	r.match()
	r.estrange()
	if fmt.Sprint(s.off, s.forgotten) != "[50] [50]" {
		t.Errorf("off %v, forgotten %v", s.off, s.forgotten)
	}
	r.strangers[50] = time.Now().Add(-remembered - time.Second)
	if r.forgetStrangers(); len(s.forgotten) != 2 || len(r.strangers) != 0 {
		t.Errorf("forgotten %v", s.forgotten)
	}
}

// The wall clock is set back by a day, or forward: starts are still starts, and nothing was watched
// for a day.
func TestTheClockIsSet(t *testing.T) {
	for _, jump := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		s := newStage()
		id := s.add("web", 7)
		r := s.recording(t, Query{})
		r.began = r.began.Add(-time.Minute)
		r.on(t.Context(), Event{Action: "start", ID: id, Time: time.Now().Add(jump)})
		r.on(t.Context(), Event{Action: "die", ID: id, Time: time.Now().Add(2 * jump)})
		r.awaitLooks(t.Context())
		if err := r.sync(true); err != nil {
			t.Fatal(err)
		}
		if src := r.record(r.byID[id]).Sources[0]; src.StartsCold != 1 || src.Seconds > 5 ||
			src.Until < src.Since {
			t.Errorf("%v: %+v", jump, src)
		}
	}
}

// A container removed before its files could be scanned is reported; another one of the same image
// supplies its files.
func TestFilesThatAreGoneAreSaid(t *testing.T) {
	s := newStage()
	id := s.add("brief", 7)
	got := s.record(t, Query{}, func() {
		s.count(7, caps.Chown, "/bin/x")
		s.pass()
		s.events <- Event{Action: "die", ID: id, Time: time.Now()}
	})
	if src := got["docker:brief"].Sources[0]; src.FilesUnseen != "" {
		t.Errorf("its files were there: %q", src.FilesUnseen)
	}
	s = newStage()
	id = s.add("brief", 0)
	got = s.record(t, Query{}, func() {
		s.locked(func() { s.noFiles = true })
		s.events <- Event{Action: "create", ID: id, Time: time.Now()}
		s.pass()
		s.locked(func() {
			delete(s.containers, id)
			s.sightings = append(s.sightings, Sighting{Cgroup: 5, Name: id})
		})
		s.count(5, caps.Chown, "/bin/x")
		s.events <- Event{Action: "start", ID: id, Time: time.Now()}
		s.events <- Event{Action: "die", ID: id, Time: time.Now()}
	})
	w := got["docker:brief"]
	if all := strings.Join(w.Confidence.Because, "; "); w.Sources[0].FilesUnseen == "" ||
		!strings.Contains(all, "it was removed before") {
		t.Errorf("%+v; %s", w.Sources[0], all)
	}
}
