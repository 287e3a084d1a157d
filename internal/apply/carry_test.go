package apply

import (
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/recreate"
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

// Two changes of one container, both pruned, are taken back one after the other: the second backout
// begins with the container that the first has made again, wherever that one died.
func TestPrunedChangesAreTakenBackOneAfterTheOther(t *testing.T) {
	for _, f := range []fault{{}, {"before", "note-successor", "crash"},
		{"after", "note-successor", "crash"}, {"before", "note-backed-out", "crash"}} {
		s, j := stage(t, "always", true)
		forth(s, j)
		between := s.find("web")
		forth(s, s.once(j, between))
		list, _ := s.Changes(t.Context())
		if len(list) != 2 || list[0].Before != between.id || list[0].State != dropcap.Applied {
			t.Fatalf("there is no second change: %+v", list)
		}
		for _, o := range s.runner().Prune(t.Context(), list) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
		s.find("web").layer.files["since"] = "written by the newest"
		s.fault = f
		for range 2 {
			list, _ = s.Changes(t.Context())
			next := slices.IndexFunc(list, func(c dropcap.Change) bool {
				return c.State == dropcap.Applied
			})
			survives(func() {
				if o := s.runner().Backout(t.Context(), list[next:next+1])[0]; o.Err != nil {
					t.Errorf("%v: %v", f, o.Err)
				}
			})
			s.settle(t)
		}
		web := s.find("web")
		if web == nil || !web.running || web.layer.files["since"] != "written by the newest" ||
			web.layer.files["data"] != precious {
			t.Errorf("%v: web is %+v", f, web)
		}
		list, _ = s.Changes(t.Context())
		for _, c := range list {
			if c.State != dropcap.BackedOut {
				t.Errorf("%v: change %s is %s: %s", f, c.ID, c.State, c.Because)
			}
		}
	}
}

// once is a job that changes once more what a job has made.
func (s *scripted) once(j Job, web *box) Job {
	j.Original.Inspect = s.inspect(web)
	recipe, err := recreate.Read(j.Original)
	if err != nil {
		s.t.Fatal(err)
	}
	j.Recipe, j.Step.Container.ID, j.Step.Before = recipe, web.id, j.Step.After
	j.Step.After.CapDrop = append(slices.Clone(j.Step.Before.CapDrop), "MKNOD")
	return j
}
