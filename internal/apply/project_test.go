package apply

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"dropcap"
)

// whole checks that the project is wholly as before or wholly as wanted: files, containers,
// journal.
func (s *scripted) whole(t *testing.T) {
	t.Helper()
	open, _ := s.Unfinished(t.Context())
	if len(open) > 0 {
		t.Errorf("the journal does not say how it ended: %s", open[0].State)
	}
	applied := false
	if len(s.changes) > 0 {
		last := s.changes[len(s.changes)-1]
		if applied = last.State == dropcap.Applied; last.State == dropcap.NeedsPerson {
			t.Errorf("a person is needed: %s", last.Because)
		}
		if len(last.Others) != 3 {
			t.Errorf("the change is about %s", last.Title())
		}
		for _, o := range last.Containers() {
			if b := s.find(o.Name); applied && (b == nil || o.After != b.id) {
				t.Errorf("%s is said to be %s", o.Name, o.After)
			}
		}
	}
	if same := maps.Equal(s.project.files, projectFiles); same == applied {
		t.Errorf("the journal says applied: %v, and the files are as before: %v", applied, same)
	}
	if len(s.boxes) != 4 {
		t.Errorf("there are %s", s.names())
	}
	for _, name := range []string{"shop-web-1", "shop-web-2", "shop-db-1", "shop-log-1"} {
		switch b := s.find(name); {
		case b == nil:
			t.Errorf("%s is gone: %s", name, s.names())
		case !b.running:
			t.Errorf("%s does not run", name)
		case b.drops() != applied:
			t.Errorf("the journal says applied: %v, and %s has the new declaration: %v", applied,
				name, b.drops())
		}
	}
	s.housed(t)
}

// housed checks that log is in the network of the db that runs.
func (s *scripted) housed(t *testing.T) {
	t.Helper()
	log, db := s.find("shop-log-1"), s.find("shop-db-1")
	if of, _ := s.provider(log); of != db || log.lives != s.life(log) {
		t.Errorf("log is not in the network of the db that runs")
	}
}

// Whatever goes wrong at whichever effect of a change of three services in two files, all of it
// comes to one end.
func TestProjectWhateverGoesWrong(t *testing.T) {
	hows := []string{"crash", "error", "power"}
	if os.Getenv("DROPCAP_TEST_FULL") != "" {
		hows = append(hows, "hang", "engine", "both")
	}
	for _, way := range []struct {
		name string
		do   func(*scripted, Job)
	}{{"forth", forth}, {"failing", failing}, {"back", andBack}} {
		s, j := projectStage(t, "web", "db", "log")
		way.do(s, j)
		s.sick = false
		s.whole(t)
		if t.Failed() {
			t.Fatalf("%s fails where nothing goes wrong: %v", way.name, s.changes)
		}
		var effects []string
		for _, e := range s.log {
			if !slices.Contains(effects, e) {
				effects = append(effects, e)
			}
		}
		if len(effects) < 9 {
			t.Fatalf("%s: only %v", way.name, effects)
		}
		for _, effect := range effects {
			for _, how := range hows {
				for _, when := range []string{"before", "after"} {
					f := fault{when, effect, how}
					t.Run(way.name+" "+f.String(), func(t *testing.T) {
						s, j := projectStage(t, "web", "db", "log")
						s.fault = f
						survives(func() { way.do(s, j) })
						s.sick = false
						s.settle(t)
						if s.excused {
							s.again()
						}
						s.whole(t)
					})
				}
			}
		}
	}
}

// Compose ends after any of its requests, and dropcap with it.
func TestProjectComposeEndsAnywhere(t *testing.T) {
	for ends := 1; ends <= 20; ends++ {
		for _, back := range []bool{false, true} {
			s, j := projectStage(t, "web", "db", "log")
			if back {
				forth(s, j)
			}
			s.project.ends = ends
			survives(func() {
				if back {
					s.runner().Backout(t.Context(), s.changes)
				} else {
					forth(s, j)
				}
			})
			s.project.ends = 0
			s.settle(t)
			s.whole(t)
			if t.Failed() {
				t.Fatalf("after %d requests, back: %v", ends, back)
			}
		}
	}
}

// A later change of other services of the same file does not bar a backout, in whichever order; and
// what somebody has changed himself is never overwritten.
func TestProjectBackoutsInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		s, j := projectStage(t, "web", "log")
		forth(s, j)
		forth(s, s.projectJob(t, j, "db"))
		if len(s.changes) != 2 || s.changes[1].State != dropcap.Applied {
			t.Fatalf("%+v", s.changes)
		}
		for _, i := range order {
			o := s.runner().Backout(t.Context(), []dropcap.Change{s.changes[i]})
			if o[0].Err != nil {
				t.Errorf("%v: %v", order, o[0].Err)
			}
			s.housed(t)
		}
		if !maps.Equal(s.project.files, projectFiles) {
			t.Errorf("%v: the files are %v", order, s.project.files)
		}
	}
	s, j := projectStage(t, "web", "log")
	forth(s, j)
	theirs := strings.Replace(s.project.files[baseFile], "NET_RAW", "ALL", 1)
	s.project.files[baseFile] = theirs
	o := s.runner().Backout(t.Context(), s.changes)
	if o[0].Err == nil || !strings.Contains(hintOf(o[0].Err),
		"-  web: {cap_drop: [NET_RAW], image: x}") &&
		!strings.Contains(hintOf(o[0].Err), "cap_drop: []") {
		t.Errorf("%v (%s)", o[0].Err, hintOf(o[0].Err))
	}
	if s.project.files[baseFile] != theirs || s.changes[0].State != dropcap.Applied {
		t.Errorf("it was overwritten: %s, %s", s.project.files[baseFile], s.changes[0].State)
	}
}

// A change that an older dropcap began has one service, and is taken back all the same.
func TestProjectOfAnOlderJournal(t *testing.T) {
	s, j := projectStage(t, "web")
	c := j.Source.Compose
	c.Replicas, c.Members, c.Services = c.Services[0].Replicas, c.Services[0].Members, nil
	j.Others = nil
	forth(s, j)
	c.Services = nil
	if o := s.runner().Backout(t.Context(), s.changes); o[0].Err != nil {
		t.Error(o[0].Err)
	}
	if !maps.Equal(s.project.files, projectFiles) {
		t.Errorf("the files are %v", s.project.files)
	}
}
