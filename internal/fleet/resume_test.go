package fleet

import (
	"context"
	"strings"
	"testing"
	"time"

	"dropcap"
)

func TestABackoutThatAHostRefusedIsNoneAndIsTriedAgainByAResume(t *testing.T) {
	s, l := newStage(2), newLedger()
	s.machines["i-00000000000000001"].apply = dropcap.ExitRolledBack
	first := s.machines["i-00000000000000000"]
	first.back = dropcap.ExitIncomplete // as where the container was changed since
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{AutoBackout: true}})
	run, hosts, err := e.Go(t.Context(), run, hosts, s.places())
	if err != nil || run.State != dropcap.RunStopped ||
		!strings.Contains(run.Because, "the backout failed on 1 of 2 hosts") {
		t.Errorf("%v: %s: %s", err, run.State, run.Because)
	}
	if back, _, err := l.Run(t.Context(), run.Backout); err != nil ||
		back.Waves[0].State != dropcap.WaveFailed || back.Waves[0].Gate != "1 of 2 hosts failed" {
		t.Errorf("%v: %+v", err, back)
	}
	first.back = 0
	before := run.Backout
	run, _, err = e.Go(t.Context(), Reopen(run, hosts), hosts, s.places())
	if err != nil || run.State != dropcap.RunBackedOut || first.changed || run.Backout == before ||
		strings.Contains(run.Because, "the backout failed") {
		t.Errorf("%v: %s: %s (changed: %v)", err, run.State, run.Because, first.changed)
	}
	if back, _, err := l.Run(t.Context(), run.Backout); err != nil ||
		back.Waves[0].State != dropcap.WavePassed {
		t.Errorf("%v: %+v", err, back)
	}
	if first.done["apply"] != 1 {
		t.Errorf("applied %d times", first.done["apply"])
	}
}

func TestABackoutWhoseHostWasAwayAsksItAgainAtAResume(t *testing.T) {
	s, l := newStage(2), newLedger()
	s.machines["i-00000000000000001"].apply = dropcap.ExitRolledBack
	away := true
	s.trouble = func(_ int, what, node string) string {
		if away && what == "deliver" && node == "i-00000000000000000" && len(l.order) > 2 {
			// the audit, the run, its backout
			return "lost"
		}
		return ""
	}
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{AutoBackout: true}})
	run, hosts, err := e.Go(t.Context(), run, hosts, s.places())
	if err != nil || run.State != dropcap.RunStopped {
		t.Fatalf("%v: %s: %s", err, run.State, run.Because)
	}
	away = false
	if run, _, err = e.Go(t.Context(), Reopen(run, hosts), hosts, s.places()); err != nil ||
		run.State != dropcap.RunBackedOut {
		t.Errorf("%v: %s: %s", err, run.State, run.Because)
	}
}

func TestErrorsThatAFormerControllerSawCount(t *testing.T) {
	s, l := newStage(20), newLedger()
	for _, m := range s.machines {
		m.apply = dropcap.ExitRolledBack
	}
	rules := dropcap.FleetRules{MaxErrors: 2, MaxConcurrency: 3}
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply", Rules: rules})
	run, hosts, err := e.Go(t.Context(), run, hosts, s.places())
	if err != nil || run.State != dropcap.RunStopped {
		t.Fatalf("%v: %s", err, run.State)
	}
	before := s.applied()
	if run, _, err = e.Go(t.Context(), Reopen(run, hosts), hosts, s.places()); err != nil ||
		run.State != dropcap.RunStopped {
		t.Errorf("%v: %s", err, run.State)
	}
	if now := s.applied(); now != before {
		t.Errorf("a resume told %d more hosts, though too many had failed", now-before)
	}
}

func (s *stage) applied() (n int) {
	for _, m := range s.machines {
		n += m.done["apply"]
	}
	return n
}

func TestNothingIsSentAgainAfterTooManyErrors(t *testing.T) {
	s, l := newStage(1), newLedger()
	s.machines["i-00000000000000001"] = &machine{receipts: map[string]dropcap.Receipt{},
		ready: map[string]time.Time{}, done: map[string]int{}, apply: dropcap.ExitRolledBack}
	s.trouble = func(_ int, what, node string) string {
		if what == "deliver" && node == "i-00000000000000000" &&
			s.machines[node].done["audit"] > 0 && s.calls["send"] < 5 {
			return "undelivered"
		}
		return ""
	}
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply"})
	run, hosts, err := e.Go(t.Context(), run, hosts, s.places())
	if err != nil || run.State != dropcap.RunStopped {
		t.Fatalf("%v: %s", err, run.State)
	}
	if n := s.machines["i-00000000000000000"].done["apply"]; n != 0 {
		t.Errorf("a host that had not got the request was told again after another one had "+
			"failed: %+v", hosts)
	}
}

func TestAnInterruptedRunAsksAgainWhoeverWasAwayInAWaveThatPassed(t *testing.T) {
	s, l := newStage(3), newLedger()
	_, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{Waves: []string{"1", "2"}, MaxErrors: 1}})
	first := run.Waves[0].Hosts[0]
	run.Waves[0].State = dropcap.WavePassed
	for i := range hosts {
		if hosts[i].Host == first {
			hosts[i].Sent, hosts[i].Failure = 1, &dropcap.HostFailure{Host: first,
				Cause: "unreachable"}
		}
	}
	again := Reopen(run, hosts)
	if again.Waves[0].State != dropcap.WaveGoing || again.Waves[1].State != dropcap.WaveWaiting {
		t.Errorf("%+v", again.Waves)
	}
}

func TestAResumeOfABackoutKeepsWhatIsKnownOfHosts(t *testing.T) {
	for _, run := range []dropcap.FleetRun{{State: dropcap.RunBackedOut},
		{State: dropcap.RunStopped, Backout: "1"}, {State: dropcap.RunBackingOut}} {
		hosts := []dropcap.FleetHost{{Host: "1/a/i", Sent: 1,
			Failure: &dropcap.HostFailure{Cause: "unreachable"}}}
		if got := Reopen(run, hosts); hosts[0].Failure == nil || got.State == dropcap.RunGoing {
			t.Errorf("%s: %s, %+v", run.State, got.State, hosts)
		}
	}
}

func TestARunWhoseHostsWereNotKeptIsNotTakenForDone(t *testing.T) {
	s, l := newStage(3), newLedger()
	e, run, _ := s.begin(t, l, dropcap.FleetRun{Verb: "apply"})
	run, _, err := e.Go(t.Context(), run, nil, s.places())
	if err == nil || run.State == dropcap.RunDone || len(s.sent) > 0 {
		t.Errorf("%v: %+v", err, run)
	}
}

func TestWhatIsBackedOutByHandIsNeverAppliedAgain(t *testing.T) {
	s, l := newStage(4), newLedger()
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{Waves: []string{"1"}, Approve: true}})
	e.Ask = func(context.Context, string) error { return context.DeadlineExceeded }
	run, hosts, err := e.Go(t.Context(), run, hosts, s.places())
	if err != nil || s.applied() != 1 {
		t.Fatal(err)
	}
	back, list, err := e.TakeBack(t.Context(), run, hosts, s.places(),
		dropcap.FleetRules{MaxErrors: 4})
	if err != nil {
		t.Fatal(err)
	}
	e.Ask = nil
	resume := func(want dropcap.RunState) {
		t.Helper()
		r, h, err := l.Run(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if r, _, err = e.Go(t.Context(), Reopen(r, h), h, s.places()); err != nil ||
			r.State != want || s.applied() != 1 {
			t.Errorf("%v: %s, %d applied", err, r.State, s.applied())
		}
	}
	if back, list, err = e.Go(t.Context(), back, list, s.places()); err != nil {
		t.Fatal(err)
	}
	resume(dropcap.RunBackedOut) // killed before the run itself was told
	if _, err := e.TakenBack(t.Context(), run.ID, back, list); err != nil {
		t.Fatal(err)
	}
	resume(dropcap.RunBackedOut)
}

func TestAnApprovalThatComesAfterTheWindowWaitsForTheNext(t *testing.T) {
	s, l := newStage(2), newLedger()
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{Waves: []string{"1"}, Approve: true, Window: "11:00-13:00"}})
	e.Ask = func(ctx context.Context, _ string) error { return s.clock.Sleep(ctx, 6*time.Hour) }
	if _, _, err := e.Go(t.Context(), run, hosts, s.places()); err != nil {
		t.Fatal(err)
	}
	if at := s.clock.Now(); at.Day() != 2 || at.Hour() < 11 || at.Hour() > 12 {
		t.Errorf("the second wave went at %s", at)
	}
}
