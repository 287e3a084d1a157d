package fleet

import (
	"strings"
	"testing"

	"dropcap"
)

func TestAHostThatSendsNothingOnAndOnIsGivenUp(t *testing.T) {
	s := newStage(1)
	s.machines["i-00000000000000000"].size = 60000
	n := 0
	s.trouble = func(_ int, what, _ string) string {
		if what == "send" {
			if n++; n > 100 {
				panic("it is asked for ever")
			}
		}
		if what == "deliver" {
			return "empty"
		}
		return ""
	}
	_, hosts := s.do(t, dropcap.FleetRun{Verb: "audit"})
	if f := hosts[0].Failure; f == nil || f.Cause != "unanswered" {
		t.Errorf("%+v", hosts[0])
	}
}

func TestWhatAHostSaysIsKeptShortAndPlain(t *testing.T) {
	s := newStage(1)
	s.machines["i-00000000000000000"].says = "\x1b[2J" + strings.Repeat("x", 1<<20)
	_, hosts := s.do(t, dropcap.FleetRun{Verb: "audit"})
	if got := hosts[0].Receipt.Summary; len(got) > 2000 || strings.Contains(got, "\x1b") {
		t.Errorf("a summary of %d bytes", len(got))
	}
}

func TestAnErrorAfterAChangeBeganIsNotBelieved(t *testing.T) {
	s := newStage(1)
	m := s.machines["i-00000000000000000"]
	seen := false
	s.trouble = func(_ int, what, _ string) string {
		if what == "deliver" && m.done["audit"] > 0 && !seen {
			seen = true
			return "error" // it was begun, and the store was busy when it was asked how it stands
		}
		return ""
	}
	run, hosts := s.do(t, dropcap.FleetRun{Verb: "apply"})
	if run.State != dropcap.RunDone || hosts[0].Receipt == nil || hosts[0].Failure != nil ||
		m.done["apply"] != 1 {
		t.Errorf("%s: %s: %+v", run.State, run.Because, hosts[0].Failure)
	}
}

func TestAnErrorOfAHostThatDidNothingIsToldAsItIs(t *testing.T) {
	s, l := newStage(1), newLedger()
	m := s.machines["i-00000000000000000"]
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply"})
	s.trouble = func(_ int, what, _ string) string {
		if what != "deliver" || m.done["audit"] == 0 {
			return ""
		}
		if m.done["apply"] == 0 && s.sent[len(s.sent)-1].Verb == "apply" {
			return "broken"
		}
		return ""
	}
	_, hosts, err := e.Go(t.Context(), run, hosts, s.places())
	if f := hosts[0].Failure; err != nil || f == nil || f.Cause != "error" ||
		!strings.Contains(f.Message, "cannot write") {
		t.Errorf("%v: %+v", err, f)
	}
	if hosts[0].Sent != 1 {
		t.Errorf("sent %d times", hosts[0].Sent)
	}
}

// A host said that it had not got the request, while a delivery was still on its way: nobody may
// say later that nothing was done.
func TestAbsentIsNoPromiseWhileADeliveryIsOnItsWay(t *testing.T) {
	s, l := newStage(1), newLedger()
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply"})
	m := s.machines["i-00000000000000000"]
	s.trouble = func(_ int, what, _ string) string {
		switch {
		case what != "deliver" || m.done["audit"] == 0:
			return ""
		case hosts[0].Sent == 1 && s.sent[len(s.sent)-1].Verb == "apply":
			return "undelivered"
		case hosts[0].Sent == 1:
			return "absent"
		}
		return "gone"
	}
	_, hosts, err := e.Go(t.Context(), run, hosts, s.places())
	if f := hosts[0].Failure; err != nil || f == nil ||
		strings.Contains(f.Message, "nothing was done") {
		t.Errorf("%v: %+v", err, f)
	}
}
