package learn

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// No observation of a container that cannot be told apart must never mean that it needs nothing:
// Podman without cgroups of version 2.
func TestAContainerWithoutACgroupOfItsOwnLeavesNoEvidence(t *testing.T) {
	s := newStage()
	brief := s.add("brief", 0)
	s.add("web", 7)
	blind := s.add("podman", 8)
	s.locked(func() { s.hidden = map[string]bool{brief: true, blind: true} })
	var mu sync.Mutex
	var warned []string
	warn := func(err error) { mu.Lock(); defer mu.Unlock(); warned = append(warned, err.Error()) }
	got := s.record(t, Query{Warn: warn}, func() {
		s.events <- Event{Action: "create", ID: brief, Time: time.Now()}
		s.events <- Event{Action: "start", ID: brief, Time: time.Now()}
		s.events <- Event{Action: "die", ID: brief, Time: time.Now()}
	})
	if _, there := got["docker:web"]; !there || len(got) != 1 {
		t.Errorf("evidence of %d workloads, want that of web alone", len(got))
	}
	s.locked(func() {
		if len(s.kept) != 1 {
			t.Errorf("%d workloads were kept, want web alone", len(s.kept))
		}
	})
	for _, id := range []string{brief, blind} {
		if !slices.ContainsFunc(warned, func(w string) bool {
			return strings.Contains(w, id[:12])
		}) {
			t.Errorf("no word about %s in %q", id[:12], warned)
		}
	}
}
