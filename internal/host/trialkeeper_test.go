package host

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/store"
	"dropcap/internal/testenv"
)

// deadProcess names a process that has ended.
func deadProcess(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	name, err := processOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = cmd.Process.Kill(), cmd.Wait()
	return name
}

// trialStore is a store with a trial of web by that process.
func trialStore(t *testing.T, process string) (*Host, *store.Store) {
	t.Helper()
	folder := t.TempDir()
	s, err := store.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	err = s.BeginTrial(t.Context(), store.KeptTrial{Process: process, Trial: dropcap.Trial{
		ID: "0123456789ab", Kind: dropcap.KindTrial, Name: "web", Workload: "docker:web",
		Container: strings.Repeat("c", 64), Asked: caps.Of(caps.Kill), Denied: caps.Of(caps.Kill),
		State: dropcap.TrialRunning, Since: "2026-07-01T12:00:00Z", Seconds: 90,
	}}, alive)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Store: folder}), s
}

func TestATrialWhoseProcessIsGoneHasDied(t *testing.T) {
	h, s := trialStore(t, deadProcess(t))
	doc, err := h.Trials(t.Context())
	if err != nil || len(doc.Trials) != 1 {
		t.Fatalf("%+v, %v", doc, err)
	}
	if x := doc.Trials[0]; x.State != dropcap.TrialDied || !x.Denied.Empty() ||
		x.Ended != "2026-07-01T12:01:30Z" || x.Because == "" {
		t.Errorf("%+v", x)
	}
	if _, err := h.StopTrial(t.Context(), []string{"web"}); err == nil ||
		!strings.Contains(err.Error(), "cannot find a running trial") {
		t.Errorf("stopping it: %v", err)
	}
	// another one may begin, and the next look finds it written down
	self, err := newTrialKeeper(s, "h")
	if err != nil {
		t.Fatal(err)
	}
	again := doc.Trials[0]
	again.ID, again.State = "0123456789ac", dropcap.TrialRunning
	if err := self.Begin(t.Context(), again); err != nil {
		t.Errorf("another trial: %v", err)
	}
	all, err := s.Trials(t.Context())
	if err != nil || len(all) != 2 || all[1].State != dropcap.TrialDied {
		t.Errorf("%+v, %v", all, err)
	}
	again.ID = "0123456789ad"
	if err := self.Begin(t.Context(), again); !errors.Is(err, store.ErrBusy) {
		t.Errorf("a third beside a living one: %v", err)
	}
}

// keepTrials plays the process of a trial: it ends what it is asked to end.
func keepTrials(t *testing.T, s *store.Store) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		testenv.Within(stopPatience, func() bool {
			stops, err := s.StopsAsked(t.Context())
			if err != nil || len(stops) == 0 {
				return false
			}
			list, _ := s.RunningTrials(t.Context())
			for _, x := range list {
				if why, ok := stops[x.ID]; ok {
					x.State, x.Because = dropcap.TrialStopped, why
					if err := s.SaveTrial(t.Context(), x); err != nil {
						t.Error(err)
					}
				}
			}
			return true
		})
	}()
	return func() { <-done }
}

func TestAPersonStopsATrialByAnyOfItsNames(t *testing.T) {
	self, err := processOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"web", "docker:web", "0123456789ab", "cccc", ""} {
		h, s := trialStore(t, self)
		wait := keepTrials(t, s)
		names := []string{name}
		if name == "" {
			names = nil // all
		}
		doc, err := h.StopTrial(t.Context(), names)
		wait()
		if err != nil || len(doc.Trials) != 1 || doc.Trials[0].State != dropcap.TrialStopped {
			t.Errorf("%q: %+v, %v", name, doc, err)
		}
	}
}

func TestAChangeEndsTheTrialOfItsContainersOnly(t *testing.T) {
	self, err := processOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	h, s := trialStore(t, self)
	if err := h.endTrials(t.Context(), s, map[string]bool{"another": true}); err != nil {
		t.Fatal(err)
	}
	if list, err := s.RunningTrials(t.Context()); err != nil || len(list) != 1 {
		t.Fatalf("a change of another container: %+v, %v", list, err)
	}
	wait := keepTrials(t, s)
	err = h.endTrials(t.Context(), s, map[string]bool{strings.Repeat("c", 64): true})
	wait()
	list, err2 := s.Trials(t.Context())
	if err != nil || err2 != nil || list[0].Because != "the container was about to be changed" {
		t.Errorf("%+v, %v, %v", list, err, err2)
	}
}
