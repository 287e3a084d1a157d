package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/foreign"
)

func TestEachHostIsAskedOnceAndItsOutputFetchedOnce(t *testing.T) {
	s := newStage(120)
	run, hosts := s.do(t, dropcap.FleetRun{Verb: "audit"})
	if run.State != dropcap.RunDone || len(hosts) != 120 {
		t.Fatalf("state %s, %d hosts", run.State, len(hosts))
	}
	for _, h := range hosts {
		if h.Receipt == nil || h.Receipt.State != dropcap.ReceiptDone || len(h.Commands) != 1 {
			t.Errorf("%+v", h)
		}
	}
	if s.calls["send"] != 3 || s.calls["output"] != 120 {
		t.Errorf("calls: %v, want 3 commands (80 and 40 nodes, at most 50 each) and 120 outputs",
			s.calls)
	}
}

func TestALargeDocumentComesInParts(t *testing.T) {
	s := newStage(3)
	for _, m := range s.machines {
		m.size = 60000
	}
	_, hosts := s.do(t, dropcap.FleetRun{Verb: "audit"})
	for _, h := range hosts {
		if h.Receipt == nil || len(foreign.Document(h)) < 60000 {
			t.Errorf("%s: %v", h.Host, h.Failure)
		}
	}
}

func TestAHostThatIsStillAtWorkIsAskedAgainAndNotToldAgain(t *testing.T) {
	s := newStage(2)
	for _, m := range s.machines {
		m.takes = 20 * time.Minute
	}
	_, hosts := s.do(t, dropcap.FleetRun{Verb: "apply"})
	for id, m := range s.machines {
		if m.done["apply"] != 1 {
			t.Errorf("%s did it %d times", id, m.done["apply"])
		}
	}
	for _, h := range hosts {
		if h.Sent != 1 || h.Receipt == nil || h.Receipt.State != dropcap.ReceiptDone ||
			len(h.Commands) > 60 {
			t.Errorf("sent %d times, %d commands: %+v", h.Sent, len(h.Commands), h.Receipt)
		}
	}
}

// TestWhateverGoesWrongOnTheWayNothingIsDoneTwiceAndNoVerdictIsWrong strikes at random, in many
// worlds.
func TestWhateverGoesWrongOnTheWayNothingIsDoneTwiceAndNoVerdictIsWrong(t *testing.T) {
	kinds := []string{"away", "dropped", "undelivered", "lost", "damaged", "cut", "twice",
		"garbage"}
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := newStage(20)
		s.trouble = func(int, string, string) string {
			if random.Float64() < 0.15 {
				return kinds[random.IntN(len(kinds))]
			}
			return ""
		}
		for i := range 5 {
			s.machines[fmt.Sprintf("i-%017d", i)].apply = dropcap.ExitRolledBack
		}
		_, hosts := s.do(t, dropcap.FleetRun{Verb: "apply",
			Rules: dropcap.FleetRules{MaxErrors: 20}})
		for _, h := range hosts {
			_, id := cutHost(h.Host)
			m := s.machines[id]
			if m.done["apply"] > 1 {
				t.Fatalf("seed %d: %s did it %d times", seed, id, m.done["apply"])
			}
			switch {
			case h.Failure != nil && (h.Failure.Cause == "unanswered" ||
				h.Failure.Cause == "unreachable"):
				continue // said to be unknown
			case h.Failure != nil && m.done["apply"] > 0:
				t.Fatalf("seed %d: %s: %+v, but it was done", seed, id, h.Failure)
			case h.Failure != nil:
				continue
			case h.Receipt == nil || m.done["apply"] != 1 || h.Receipt.Status != m.apply:
				t.Fatalf("seed %d: %s: receipt %+v, done %d, status %d", seed, id, h.Receipt,
					m.done["apply"], m.apply)
			}
		}
	}
}

func TestWhoTakesOverAsksBeforeItSends(t *testing.T) {
	for kill := 1; kill <= 6; kill++ {
		s, l := newStage(9), newLedger()
		e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply",
			Rules: dropcap.FleetRules{Waves: []string{"3"}}})
		ctx, cancel := context.WithCancel(t.Context())
		s.stop = func(n int) bool {
			if n == kill {
				cancel()
			}
			return n == kill
		}
		if _, _, err := e.Go(ctx, run, hosts, s.places()); err == nil {
			t.Fatalf("kill at %d: it went on", kill)
		}
		s.stop = nil
		run, hosts, err := l.Run(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		next := &Engine{Carrier: s, Clock: s.clock, Ledger: l}
		run, hosts, err = next.Go(t.Context(), run, hosts, s.places())
		if err != nil || run.State != dropcap.RunDone {
			t.Fatalf("kill at %d: %s, %v, %s", kill, run.State, err, run.Because)
		}
		for _, h := range hosts {
			if _, id := cutHost(h.Host); Bad(h) || s.machines[id].done["apply"] != 1 {
				t.Errorf("kill at %d: %+v, done %d", kill, h, s.machines[id].done["apply"])
			}
		}
	}
}

func TestAStoreThatFailsEndsTheRunBeforeAnythingIsSent(t *testing.T) {
	s, l := newStage(3), newLedger()
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "audit"})
	l.fail = errors.New("disk full")
	if _, _, err := e.Go(t.Context(), run, hosts, s.places()); err == nil || s.calls["send"] != 0 {
		t.Errorf("error %v, %d commands", err, s.calls["send"])
	}
}

func TestWhatAHostSaysIsMadeAFailureWithItsRemedy(t *testing.T) {
	for stderr, want := range map[string]string{
		"sh: 1: exec: " + NotInstalled: "not-installed",
		"dropcap: error: cannot open the store: no space left on device\ndropcap: hint: make room\n": "error",
		"\x1b]0;evil\x07": "unanswered",
	} {
		s := newStage(1)
		for _, m := range s.machines {
			m.stderr = stderr
		}
		_, hosts := s.do(t, dropcap.FleetRun{Verb: "audit"})
		if f := hosts[0].Failure; f == nil || f.Cause != want {
			t.Errorf("%q: %+v, want %s", stderr, f, want)
		}
	}
}

func TestHostsThatCannotBeAskedAreFailuresFromTheBeginning(t *testing.T) {
	s := newStage(4)
	nodes := s.nodes()
	nodes[0].Platform, nodes[1].Online = "Windows", false
	nodes[3].Agent, nodes[2].Agent = "2.0.356.1", "2.0.357.0"
	e := &Engine{Carrier: s, Clock: s.clock, Ledger: newLedger()}
	run, hosts, err := e.Start(t.Context(), dropcap.FleetRun{Verb: "audit"}, nodes, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, hosts, err = e.Go(t.Context(), run, hosts, s.places()); err != nil {
		t.Fatal(err)
	}
	if hosts[0].Failure.Cause != "platform" || hosts[1].Failure.Cause != "offline" ||
		hosts[2].Receipt == nil || hosts[3].Failure.Cause != "agent" {
		t.Errorf("%+v", hosts)
	}
}

// A script may be run again, so one whose sending was not answered is sent again; a service that
// stays away learns of.
func TestAScriptWhoseSendingWasNotAnsweredIsSentAgain(t *testing.T) {
	for times, want := range map[int]bool{0: true, 2: true, 100: false} {
		s := newStage(3)
		s.trouble = func(_ int, what, _ string) string {
			if what == "send" && s.calls["send"] <= times {
				return "dropped"
			}
			return ""
		}
		list, err := Scripted{Engine: &Engine{Carrier: s, Clock: s.clock},
			Lines: []string{"true"}}.Do(t.Context(), s.nodes()[:1])
		if (err == nil) != want || want && (len(list) != 1 || list[0].Failure != nil ||
			s.calls["send"] != times+1) || s.calls["send"] > 10 {
			t.Errorf("%d answers are lost: sent %d times, %v, %+v", times, s.calls["send"], err,
				list)
		}
	}
}
