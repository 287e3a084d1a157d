package store

import (
	"path/filepath"
	"testing"

	"dropcap"
)

func TestAHardeningIsReplacedOnlyByWhoKnowsIt(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	web := dropcap.Hardening{Workload: "docker:web", State: dropcap.HardenLearning}
	keep := func(was *dropcap.Hardening, is dropcap.Hardening) bool {
		t.Helper()
		kept, err := s.KeepHardening(t.Context(), was, is)
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	if !keep(nil, web) || keep(nil, web) {
		t.Fatal("a new one is kept once")
	}
	list, err := s.Hardenings(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	mark, _, err := s.Marks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	read, paused, trying := list[0], list[0], list[0]
	paused.State, trying.State = dropcap.HardenPaused, dropcap.HardenTrying
	if !keep(&read, paused) {
		t.Error("what was read cannot be replaced")
	}
	if later, _, err := s.Marks(t.Context()); err != nil || later == mark {
		t.Errorf("the mark is still %s, %v", later, err)
	}
	if keep(&read, trying) {
		t.Error("a person's pause was overwritten")
	}
	if list, _ = s.Hardenings(t.Context()); list[0].State != dropcap.HardenPaused {
		t.Errorf("it is %s", list[0].State)
	}
	if _, err := s.KeepHardening(t.Context(), nil, dropcap.Hardening{}); err == nil {
		t.Error("one without a workload was kept")
	}
	if _, err := s.db.Exec("UPDATE hardening SET document = x'7b7d'"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Hardenings(t.Context()); err == nil {
		t.Error("a damaged one was read")
	}
	if _, err := s.KeepHardening(t.Context(), &paused, web); err == nil {
		t.Error("a damaged one was replaced")
	}
}
