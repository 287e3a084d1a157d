package apply

import (
	"slices"
	"strings"
	"testing"

	"dropcap"
)

// What the new container has written stays with whoever takes its place, if the old one is gone by
// then.
func TestABackoutAfterAPruneHasTheNewOnesLayer(t *testing.T) {
	for _, again := range []bool{false, true} {
		s, j := stage(t, "always", true)
		forth(s, j)
		list, _ := s.Changes(t.Context())
		if o := s.runner().Prune(t.Context(), list); o[0].Err != nil {
			t.Fatal(o[0].Err)
		}
		list, _ = s.Changes(t.Context())
		new := s.find("web")
		new.layer.files["data"], new.layer.files["since"] = precious, "written by the new one"
		if again { // and once more after a crash between the two
			s.fault = fault{"before", "carry-again", "crash"}
			survives(func() { s.runner().Backout(t.Context(), list[:1]) })
			s.settle(t)
		} else if o := s.runner().Backout(t.Context(), list[:1])[0]; o.Err != nil {
			t.Fatal(o.Err)
		}
		web := s.find("web")
		if web == nil || web == new || !web.running ||
			web.layer.files["since"] != "written by the new one" {
			t.Fatalf("web is %+v", web)
		}
		list, _ = s.Changes(t.Context())
		if list[0].State != dropcap.BackedOut || !strings.Contains(list[0].Because,
			"carried back") {
			t.Errorf("%s: %s", list[0].State, list[0].Because)
		}
	}
}

// A layer that cannot be carried back keeps the only container that has it.
func TestALayerThatCannotBeCarriedBackIsNotRemoved(t *testing.T) {
	s, j := stage(t, "always", true)
	forth(s, j)
	list, _ := s.Changes(t.Context())
	s.runner().Prune(t.Context(), list)
	list, _ = s.Changes(t.Context())
	new := s.find("web")
	s.broken = "carry-again"
	o := s.runner().Backout(t.Context(), list[:1])[0]
	if s.boxes[new.id] == nil || new.layer.files["data"] != precious {
		t.Errorf("it is gone: %s", s.names())
	}
	if o.Err == nil || dropcap.ExitOf(o.Err) == dropcap.ExitOK {
		t.Errorf("nothing is said: %+v", o.Change)
	}
}

// An old one that has run once more since it was stopped may have written what was not carried.
func TestAnOldOneThatRanOnceMore(t *testing.T) {
	s, j := stage(t, "no", true)
	s.fault = fault{"before", "rename-new", "once"}
	o := s.runner().Apply(t.Context(), []Job{j}, false)[0]
	if dropcap.ExitOf(o.Err) != dropcap.ExitRolledBack || !strings.Contains(o.Err.Error(),
		"has run once more") {
		t.Errorf("%s: %v", o.Change.State, o.Err)
	}
	s.check(t, true)
}

// What cannot be carried is found out before anything is stopped.
func TestALayerThatCannotBeCarriedStopsNothing(t *testing.T) {
	s, j := stage(t, "always", true)
	s.broken = "carry-layer"
	o := s.runner().Apply(t.Context(), []Job{j}, false)[0]
	if o.Err == nil || !strings.Contains(o.Err.Error(), "nothing was stopped") ||
		slices.Contains(s.log, "stop-old") {
		t.Errorf("%v: %v", o.Err, s.log)
	}
	s.check(t, true)
}
