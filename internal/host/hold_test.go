package host

import (
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/hold"
	"dropcap/internal/store"
)

func TestAHoldIsOfAWorkloadWithAllItsContainers(t *testing.T) {
	list := []hold.Container{{ID: "aaaa1111", Name: "web-1", Workload: "compose:shop/web"},
		{ID: "bbbb2222", Name: "web-2", Workload: "compose:shop/web"},
		{ID: "cccc3333", Name: "db", Workload: "docker:db"}, {ID: "dddd4444", Name: "odd"}}
	for _, names := range [][]string{{"web-1"}, {"bbbb"}, {"compose:shop/web"},
		{"web-1", "web-2"}} {
		got, err := workloadsToHold(list, names)
		if err != nil || len(got) != 1 || len(got[0].containers) != 2 {
			t.Errorf("%q: %+v, %v", names, got, err)
		}
	}
	for _, names := range [][]string{{"nobody"}, {"web-1", "aaa"}, {"odd"}} {
		if got, err := workloadsToHold(list, names); err == nil {
			t.Errorf("%q: %+v", names, got)
		}
	}
}

// A change of a container that can be taken back goes before a hold of it; a hold's own id is a
// hold's.
func TestBackoutKnowsHolds(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := dropcap.Trial{ID: "0123456789ab", Kind: dropcap.KindHold, Workload: "docker:web",
		Name: "web", Containers: []string{"aaaa1111"}, State: dropcap.TrialRunning,
		Denied: caps.Of(caps.NetRaw), Since: "2026-05-01T12:00:00Z"}
	if err := s.BeginTrial(t.Context(), store.KeptTrial{Trial: h},
		func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    BackoutRequest
		want int
	}{{BackoutRequest{Name: "web"}, 1}, {BackoutRequest{Name: "0123"}, 1},
		{BackoutRequest{Name: "aaaa"}, 1}, {BackoutRequest{Name: "db"}, 0},
		{BackoutRequest{All: true}, 1}, {BackoutRequest{Last: true}, 1}} {
		if ids, err := c.q.holds(t.Context(), s); err != nil || len(ids) != c.want {
			t.Errorf("%+v: %q, %v", c.q, ids, err)
		}
	}
	if err := s.EditTrial(t.Context(), h.ID, func(t *dropcap.Trial) {
		hold.Over(t, dropcap.TrialReleased, "a person released it", time.Now())
	}); err != nil {
		t.Fatal(err)
	}
	if ids, err := (BackoutRequest{All: true}).holds(t.Context(), s); err != nil || len(ids) != 0 {
		t.Errorf("released: %q, %v", ids, err)
	}
	// one that is over is left as it is
	if err := s.EditTrial(t.Context(), h.ID, func(t *dropcap.Trial) { t.Name = "x" }); err != nil {
		t.Fatal(err)
	}
	if list, _ := s.Trials(t.Context()); len(list) != 1 || list[0].Name != "web" ||
		list[0].State != dropcap.TrialReleased {
		t.Errorf("%+v", list)
	}
}
