package apply

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
)

// A recovery may be killed as often as one likes.
func TestACrashInTheRecoveryOfACrash(t *testing.T) {
	again := func(s *scripted, f fault) (effects []string) {
		s.fault, s.fired, s.log = f, false, nil
		survives(func() { _, _ = s.runner().Recover(t.Context()) })
		return s.log
	}
	crash := func(f fault) *scripted {
		s, j := stage(t, "always", true)
		s.fault = f
		survives(func() { andBack(s, j) })
		return s
	}
	for _, first := range effectsOf(t, andBack) {
		var tried []string
		for _, second := range again(crash(fault{"after", first, "crash"}), fault{}) {
			if slices.Contains(tried, second) {
				continue
			}
			tried = append(tried, second)
			for _, when := range []string{"before", "after"} {
				t.Run(first+" "+when+" "+second, func(t *testing.T) {
					s := crash(fault{"after", first, "crash"})
					s.t = t
					again(s, fault{when, second, "crash"})
					s.settle(t)
					s.check(t, true)
				})
			}
		}
	}
}

// A full disk: before the switch it aborts at no downtime, after it the journal stands in nobody's
// way, and is put right afterwards.
func TestAJournalThatCannotBeWritten(t *testing.T) {
	for _, way := range []struct {
		name string
		do   func(*scripted, Job)
	}{{"forth", forth}, {"failing", failing}, {"back", andBack}} {
		for _, from := range effectsOf(t, way.do) {
			if !strings.HasPrefix(from, "note-") {
				continue
			}
			t.Run(way.name+" "+from, func(t *testing.T) {
				s, j := stage(t, "always", true)
				s.full = from
				way.do(s, j)
				if (from == "note-created" || from == "note-switching") && slices.Contains(s.log,
					"stop-old") {
					t.Error("the old one was stopped though the journal does not know it")
				}
				if web := s.find("web"); web == nil || !web.running {
					t.Errorf("nobody runs as web before the disk has space again: %s", s.names())
				}
				s.full, s.sick = "", false
				s.settle(t)
				s.check(t, true)
			})
		}
	}
}

// What a person did to the name in the meantime is told, not undone.
func TestANameThatSomebodyTook(t *testing.T) {
	s, j := stage(t, "always", true)
	s.sick, s.steal = true, "hold-new"
	o := s.runner().Apply(t.Context(), []Job{j}, false)[0]
	if dropcap.ExitOf(o.Err) != dropcap.ExitPerson || o.Change.State != dropcap.NeedsPerson {
		t.Fatalf("%v: %v", o.Change.State, o.Err)
	}
	if !strings.Contains(o.Err.Error(), "the name web belongs to another container now") {
		t.Errorf("it says: %v", o.Err)
	}
	if s.boxes[old].running || s.most > 1 {
		t.Error("the old one was started beside the other")
	}
	s.find("web").name = "elsewhere"
	list, _ := s.Changes(t.Context())
	if o := s.runner().Backout(t.Context(), list[:1])[0]; o.Err != nil ||
		o.Change.State != dropcap.BackedOut {
		t.Fatalf("%v: %v", o.Change.State, o.Err)
	}
	if web := s.find("web"); web == nil || web.id != old || !web.running ||
		web.policy.Name != "always" {
		t.Errorf("it is not back: %s", s.names())
	}
}

// When a change is over the retained one is not started by the engine, whoever has updated it
// meanwhile.
func TestARetainedOneThatSomebodyUpdates(t *testing.T) {
	for _, way := range []struct {
		name string
		do   func(*scripted, Job)
	}{{"forth", forth}, {"back", andBack}} {
		for _, effect := range effectsOf(t, way.do) {
			if effect == "note-applied" || effect == "note-backed-out" || effect == "write-idfile" {
				continue // after the last look nobody sees it
			}
			for _, policy := range []string{"always", "no"} {
				t.Run(way.name+" "+effect+" "+policy, func(t *testing.T) {
					s, j := stage(t, policy, true)
					s.fault = fault{"before", effect, "update"}
					way.do(s, j)
					s.check(t, true)
					if s.changes[0].State == dropcap.RolledBack {
						t.Error("it was rolled back for that")
					}
				})
			}
		}
	}
}

// One that somebody has started is beside the new one, so that the new one goes.
func TestARetainedOneThatSomebodyStarts(t *testing.T) {
	s, j := stage(t, "always", true)
	s.fault = fault{"before", "note-checking", "start"}
	o := s.runner().Apply(t.Context(), []Job{j}, false)[0]
	if dropcap.ExitOf(o.Err) != dropcap.ExitRolledBack || !strings.Contains(o.Err.Error(),
		"somebody has started the old container") {
		t.Errorf("%s: %v", o.Change.State, o.Err)
	}
	if web := s.find("web"); web.id != old || !web.running || len(s.boxes) != 1 {
		t.Errorf("left over: %s", s.names())
	}
}

func TestPruneLeavesWhatIsSomebodysNow(t *testing.T) {
	s, j := stage(t, "always", true)
	forth(s, j)
	list, _ := s.Changes(t.Context())
	if got := Prunable(list, s.now.Add(-time.Hour)); len(got) != 0 {
		t.Errorf("%d are older than the end of the change", len(got))
	}
	s.tick(2 * time.Second)
	s.boxes[old].running = true
	o := s.runner().Prune(t.Context(), Prunable(list, s.now))
	if len(o) != 1 || dropcap.ExitOf(o[0].Err) != dropcap.ExitIncomplete || s.boxes[old] == nil {
		t.Errorf("a running one was removed: %+v", o)
	}
	s.boxes[old].running = false
	o = s.runner().Prune(t.Context(), Prunable(list, s.now))
	if o[0].Err != nil || !o[0].Change.Pruned || s.boxes[old] != nil {
		t.Errorf("it was not removed: %+v", o)
	}
}
