package fleet

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/foreign"
)

const deadNode = "i-00000000000000001"

// watched does a run and tells how long it took, and what was said meanwhile, with the minute in
// which it was.
func (s *stage) watched(t *testing.T, run dropcap.FleetRun,
	pace Pace) (hosts []dropcap.FleetHost, took time.Duration, said []string,
	seen map[string]time.Duration) {
	t.Helper()
	began := s.clock.Now()
	seen = map[string]time.Duration{}
	e := &Engine{Carrier: s, Clock: s.clock, Ledger: newLedger(), Pace: pace,
		Tell: func(p Progress) {
			switch {
			case p.Host != nil:
				seen[dropcap.NodeOf(p.Host.Host)] = s.clock.Now().Sub(began)
			case p.Waits:
				said = append(said, p.Note)
			}
		}}
	run, hosts, err := e.Start(t.Context(), run, s.nodes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, hosts, err = e.Go(t.Context(), run, hosts, s.places()); err != nil {
		t.Fatal(err)
	}
	return hosts, s.clock.Now().Sub(began), said, seen
}

// strikes lets one kind of trouble happen to one node's commands of some verbs; none: of all.
func strikes(s *stage, kind, node string, verbs ...string) {
	s.trouble = func(_ int, what, n string) string {
		verb := ""
		if len(s.sent) > 0 {
			verb = s.sent[len(s.sent)-1].Verb
		}
		if what == "deliver" && n == node &&
			(len(verbs) == 0 || strings.Contains(strings.Join(verbs, " "), verb)) {
			return kind
		}
		return ""
	}
}

// A look gives up early on a node that shows no sign of life, says so meanwhile, and has the
// others' results at once.
func TestALookGivesUpEarlyOnANodeThatIsGone(t *testing.T) {
	for answer, most := range map[time.Duration]time.Duration{0: 150 * time.Second,
		20 * time.Second: 40 * time.Second} {
		for _, kind := range []string{"silent", "undelivered"} {
			s := newStage(3)
			strikes(s, kind, deadNode)
			hosts, took, said, seen := s.watched(t, dropcap.FleetRun{Verb: "audit"},
				Pace{Answer: answer})
			if f := hosts[1].Failure; f == nil || f.Cause != "unreachable" ||
				!strings.Contains(f.Message, "no sign of life for ") ||
				!strings.Contains(f.Message, "nothing was changed there") {
				if kind == "silent" || f == nil {
					t.Errorf("%s: %+v", kind, hosts[1])
				}
			}
			if took > most || seen["i-00000000000000000"] > 5*time.Second {
				t.Errorf("%s: it took %s, and the other of the place was through after %v", kind,
					took, seen)
			}
			if answer == 0 && kind == "silent" &&
				(len(said) < 1 ||
					!strings.HasPrefix(said[0],
						"waiting for 1 of 2 hosts in 111122223333/eu-west-1: "+deadNode+
							" has not fetched the command for 1m")) {
				t.Errorf("%s: %q", kind, said)
			}
		}
	}
}

// The service waits for an agent that was killed; the host has done it, and says so to whoever
// asks.
func TestTheReceiptIsAskedForBesideACommandThatDoesNotEnd(t *testing.T) {
	for _, verb := range []string{"audit", "apply"} {
		s := newStage(3)
		strikes(s, "stuck", deadNode, verb)
		hosts, took, _, _ := s.watched(t, dropcap.FleetRun{Verb: verb}, Pace{})
		if Bad(hosts[1]) || took > 3*time.Minute || s.machines[deadNode].done[verb] != 1 ||
			hosts[1].Sent != 1 {
			t.Errorf("%s: %s, %+v", verb, took, hosts[1])
		}
	}
}

// A large document that is there beside a command which does not end comes in parts, as ever.
func TestPartsComeBesideToo(t *testing.T) {
	s := newStage(2)
	s.machines[deadNode].size = 60000
	strikes(s, "stuck", deadNode, "audit")
	hosts, took, _, _ := s.watched(t, dropcap.FleetRun{Verb: "audit"}, Pace{})
	if hosts[1].Receipt == nil || len(foreign.Document(hosts[1])) < 60000 || took > 3*time.Minute {
		t.Errorf("%s, %+v", took, hosts[1].Failure)
	}
}

// A node whose agent is gone for twelve minutes during a change: each minute it is said what is
// waited for, and it is done once.
func TestAChangeWaitsForANodeThatIsAwayAndSaysSo(t *testing.T) {
	s := newStage(3)
	back := s.clock.Now().Add(12 * time.Minute)
	s.trouble = func(_ int, what, node string) string {
		if what == "deliver" && node == deadNode && s.clock.Now().Before(back) &&
			s.machines[node].done["audit"] > 0 {
			return "silent"
		}
		return ""
	}
	hosts, took, said, _ := s.watched(t, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{MaxErrors: 3}}, Pace{})
	// Places run side by side on one clock: the minutes that one waits pass for a host of another,
	// too.
	said = slices.DeleteFunc(said, func(note string) bool {
		return !strings.Contains(note, " in 111122223333/eu-west-1: ")
	})
	m := s.machines[deadNode]
	if m.done["apply"] > 1 || m.done["apply"] == 0 && hosts[1].Failure == nil {
		t.Errorf("%+v, done %d times", hosts[1], m.done["apply"])
	}
	if minutes := int(min(took, 12*time.Minute) / time.Minute); len(said) < minutes-2 ||
		len(said) > minutes+3 {
		t.Errorf("in %s it said %d things: %q", took, len(said), said)
	}
	for _, what := range said {
		if !strings.Contains(what, deadNode+" ") || !strings.Contains(what, "(since ") {
			t.Errorf("it says %q", what)
		}
	}
}

// A gate's own audits say what they wait for, too.
func TestTheAuditsOfAGateSayWhatTheyWaitFor(t *testing.T) {
	s := newStage(2)
	strikes(s, "silent", deadNode, "audit", "receipt")
	_, _, said, _ := s.watched(t, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{MaxErrors: 2}}, Pace{})
	if len(said) == 0 || !strings.HasPrefix(said[0], "audit: waiting for 1 of 2 hosts") {
		t.Errorf("%q", said)
	}
}
