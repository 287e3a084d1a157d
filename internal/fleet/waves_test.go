package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
)

func TestSplit(t *testing.T) {
	hosts := slices.Repeat([]string{"1/a/i"}, 40)
	for sizes, want := range map[string][]int{"": {40}, "1,10%,100%": {1, 3, 36}, "5": {5, 35},
		"50%": {20, 20}, "100,200": {40}, "1%": {1, 39}} {
		var got []int
		waves, err := Split(hosts, strings.FieldsFunc(sizes, func(r rune) bool { return r == ',' }))
		for _, w := range waves {
			got = append(got, len(w.Hosts))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", sizes, got, err, want)
		}
	}
	for _, bad := range []string{"0", "-1", "101%", "x", ""} {
		if _, err := Split(hosts, []string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestWavesThatCannotBeMeantAreRefused(t *testing.T) {
	for good, want := range map[string]int{"": 0, "1,10%,100%": 3, "10%,5": 2, "5,5": 2,
		"50,60%": 2, "200": 1} {
		if got, err := ParseWaves(good); err != nil || len(got) != want {
			t.Errorf("%s: %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{",", "1,,2", "1,", "5,1", "50%,10%", "100%,5", "abc", "1 2"} {
		if got, err := ParseWaves(bad); err == nil {
			t.Errorf("%s: %q", bad, got)
		}
	}
}

func TestAWindowMayGoOverMidnight(t *testing.T) {
	w, err := ParseWindow("22:00-04:00")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]time.Duration{"21:00": time.Hour, "22:00": 0, "03:59": 0,
		"04:00": 18 * time.Hour} {
		now, _ := time.Parse("15:04", at)
		if got := w.Wait(now); got != want {
			t.Errorf("at %s: %s, want %s", at, got, want)
		}
	}
}

// a wave of one, then the rest; the first host's change is rolled back.
func TestAFailedWaveStopsTheRunAndTakesBackWhatWasChanged(t *testing.T) {
	s := newStage(6)
	ids := s.nodes()
	first, _ := Split(hostsOf(ids), []string{"3"})
	_, bad := cutHost(first[0].Hosts[1])
	s.machines[bad].apply = dropcap.ExitRolledBack
	run, hosts := s.do(t, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{Waves: []string{"3", "100%"}, AutoBackout: true,
			SoakSeconds: 60}})
	if run.State != dropcap.RunBackedOut || run.Backout == "" ||
		!strings.Contains(run.Because, "1 of 3 hosts failed") {
		t.Errorf("%s: %s", run.State, run.Because)
	}
	if run.Waves[0].State != dropcap.WaveFailed || run.Waves[1].State != dropcap.WaveWaiting {
		t.Errorf("waves: %+v", run.Waves)
	}
	for _, h := range hosts {
		_, id := cutHost(h.Host)
		m, inFirst := s.machines[id], slices.Contains(first[0].Hosts, h.Host)
		if m.changed || m.done["apply"] > 0 && !inFirst || m.done["backout"] != m.done["apply"] {
			t.Errorf("%s (in the first wave: %v): %+v", id, inFirst, m.done)
		}
	}
}

func hostsOf(nodes []dropcap.Node) (list []string) {
	for _, n := range nodes {
		list = append(list, n.Host())
	}
	return list
}

func TestMoreErrorsThanAreBorneEndTheSendingWithinAWave(t *testing.T) {
	s := newStage(60)
	for _, m := range s.machines {
		m.apply = dropcap.ExitRolledBack
	}
	run, _ := s.do(t, dropcap.FleetRun{Verb: "apply", Rules: dropcap.FleetRules{MaxErrors: 2,
		MaxConcurrency: 4}})
	done := 0
	for _, m := range s.machines {
		done += m.done["apply"]
	}
	if done > 2+4+4 || run.State != dropcap.RunStopped {
		t.Errorf("%d hosts were asked; state %s", done, run.State)
	}
}

func TestNoMoreHostsAtOnceThanAllowed(t *testing.T) {
	s := newStage(30)
	_, _ = s.do(t, dropcap.FleetRun{Verb: "apply", Rules: dropcap.FleetRules{MaxConcurrency: 7}})
	for _, c := range s.sent {
		if c.Verb == "apply" && len(c.Nodes) > 7 {
			t.Errorf("%d hosts at once", len(c.Nodes))
		}
	}
}

func TestASoakTakesItsTime(t *testing.T) {
	s := newStage(4)
	before := s.clock.Now()
	_, _ = s.do(t, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{Waves: []string{"1", "2"}, SoakSeconds: 600}})
	if took := s.clock.Now().Sub(before); took < 30*time.Minute || took > 35*time.Minute {
		t.Errorf("three waves with a soak of ten minutes each took %s", took)
	}
}

func TestTheOperatorIsAskedBetweenWavesAndMayStop(t *testing.T) {
	s, l := newStage(4), newLedger()
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{Waves: []string{"1", "2"}, Approve: true}})
	asked := 0
	e.Ask = func(context.Context, string) error {
		asked++
		if asked == 2 {
			return errors.New("no")
		}
		return nil
	}
	run, hosts, err := e.Go(t.Context(), run, hosts, s.places())
	if err != nil || run.State != dropcap.RunStopped ||
		run.Because != "the operator said no to wave 3" || asked != 2 ||
		run.Waves[1].State != dropcap.WavePassed || run.Waves[2].State != dropcap.WaveWaiting {
		t.Errorf("%v, asked %d times, %+v", err, asked, run)
	}
	e.Ask = func(context.Context, string) error {
		return dropcap.Errorf(dropcap.CodeUsage, "", "cannot ask")
	}
	if run, _, err = e.Go(t.Context(), Reopen(run, hosts), hosts, s.places()); err != nil ||
		run.Because != "wave 3 was not begun: nobody could be asked, without a terminal" {
		t.Errorf("%v, %+v", err, run)
	}
}

func TestAFailedProbeStopsTheRun(t *testing.T) {
	s, l := newStage(4), newLedger()
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{Waves: []string{"1"}, Probe: []string{"probe"}}})
	e.Probe = func(_ context.Context, _ []string, of []string) error {
		if len(of) != 1 {
			t.Errorf("probed with %v", of)
		}
		return errors.New("503")
	}
	if run, _, _ = e.Go(t.Context(), run, hosts, s.places()); run.State != dropcap.RunStopped ||
		!strings.Contains(run.Because, "the probe failed: 503") {
		t.Errorf("%+v", run)
	}
}

func TestABackoutAsksOnlyHostsThatMayHaveBeenChanged(t *testing.T) {
	s, l := newStage(6), newLedger()
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{Waves: []string{"2"}, Approve: true}})
	e.Ask = func(context.Context, string) error { return errors.New("no") }
	run, hosts, err := e.Go(t.Context(), run, hosts, s.places())
	if err != nil {
		t.Fatal(err)
	}
	back, list, err := e.StartBackout(t.Context(), run, hosts, s.places(),
		dropcap.FleetRules{MaxErrors: 6})
	if err != nil || len(list) != 2 || back.Args[0] != "--of="+run.Request {
		t.Fatalf("%v: %+v", err, back)
	}
	if _, _, err := e.Go(t.Context(), back, list, s.places()); err != nil {
		t.Fatal(err)
	}
	for id, m := range s.machines {
		if m.changed {
			t.Errorf("%s is changed still", id)
		}
	}
}

func TestAWaveWithAHostOfAnotherVersionIsNotBegun(t *testing.T) {
	s := newStage(4)
	for id, m := range s.machines {
		m.version = "2"
		if id == "i-00000000000000003" {
			m.version = "1"
		}
	}
	run, _ := s.do(t, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{Waves: []string{"1"}, Version: "2"}})
	if run.State != dropcap.RunStopped || run.Waves[0].State != dropcap.WavePassed ||
		!strings.Contains(run.Because, "1 host of another version than 2") {
		t.Errorf("%+v", run)
	}
	if s.machines["i-00000000000000003"].done["apply"] != 0 {
		t.Error("it was changed")
	}
}

func TestASoakIsNeverShorterThanAsked(t *testing.T) {
	s, l := newStage(1), newLedger()
	s.clock.now = s.clock.now.Add(900 * time.Millisecond)
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{SoakSeconds: 2, Probe: []string{"probe"}}})
	var answered, passed time.Time
	notes := []string{}
	e.Tell = func(p Progress) {
		switch {
		case p.Host != nil:
			answered = s.clock.Now()
		case p.Note != "":
			notes = append(notes, p.Note)
		}
	}
	e.Probe = func(context.Context, []string, []string) error { // it follows the soak
		passed = s.clock.Now()
		return nil
	}
	if _, _, err := e.Go(t.Context(), run, hosts, s.places()); err != nil {
		t.Fatal(err)
	}
	if took := passed.Sub(answered); took != 2*time.Second ||
		!slices.Equal(notes, []string{"soaking for 2s"}) {
		t.Errorf("it took %s: %q", took, notes)
	}
	run, hosts, err := l.Run(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	run.State, run.Waves[0].State = dropcap.RunGoing, dropcap.WaveSoaking
	s.clock.now = answered.Add(100 * time.Millisecond)
	if _, _, err := e.Go(t.Context(), run, hosts, s.places()); err != nil {
		t.Fatal(err)
	}
	if took := passed.Sub(answered); took != 2*time.Second {
		t.Errorf("with another controller it took %s: %q", took, notes)
	}
}
