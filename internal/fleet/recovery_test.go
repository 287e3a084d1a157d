package fleet

import (
	"slices"
	"testing"

	"dropcap"
)

// A receipt is looked at; that a change was left without a process is ended by who may change
// containers only.
func TestWhoLooksDoesNotRecover(t *testing.T) {
	s := newStage(2)
	dead := s.machines["i-00000000000000000"]
	dead.dies = true
	_, hosts := s.do(t, dropcap.FleetRun{Verb: "apply", Rules: dropcap.FleetRules{MaxErrors: 2}})
	if r := hosts[0].Receipt; r == nil || r.State != dropcap.ReceiptInterrupted ||
		dead.done["recover"] != 1 || dead.done["apply"] != 1 {
		t.Errorf("%+v, it did %v", hosts[0], dead.done)
	}
	at := slices.IndexFunc(s.sent, func(c dropcap.NodeCommand) bool { return c.Verb == "recover" })
	if at < 0 {
		t.Fatal("nobody was asked to recover")
	}
	if c := s.sent[at]; c.Document != ChangeDocument ||
		!slices.Equal(c.Nodes, []string{"i-00000000000000000"}) {
		t.Errorf("%+v", c)
	}
	if c := s.sent[at-1]; c.Verb != "receipt" || c.Document != LookDocument {
		t.Errorf("before it: %+v", c)
	}
}

// One that says on and on that it needs a recovery is asked ever more rarely, and given up.
func TestARecoveryThatIsNotDoneIsGivenUp(t *testing.T) {
	s := newStage(1)
	m := s.machines["i-00000000000000000"]
	m.dies = true
	s.trouble = func(_ int, what, _ string) string {
		if what == "deliver" && s.sent[len(s.sent)-1].Verb == "recover" {
			m.dies = true
			return "lost"
		}
		return ""
	}
	s.stop = func(n int) bool {
		m.dies = true
		return n > 2000
	}
	_, hosts := s.do(t, dropcap.FleetRun{Verb: "apply"})
	if f := hosts[0].Failure; f == nil || f.Cause != "unanswered" && f.Cause != "slow" ||
		s.calls["send"] > 400 {
		t.Errorf("%+v after %d commands", hosts[0], s.calls["send"])
	}
}
