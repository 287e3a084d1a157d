package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func keptTrial(id, container string) KeptTrial {
	return KeptTrial{Process: "7:7", Trial: dropcap.Trial{
		ID: id, Kind: dropcap.KindTrial, Container: container, Name: "web",
		Asked: caps.Of(caps.NetRaw), State: dropcap.TrialRunning,
	}}
}

func dead(string) bool { return false }

func TestATrialIsKeptAndStopped(t *testing.T) {
	s := open(t, t.TempDir())
	one := keptTrial("000000000001", strings.Repeat("a", 64))
	if err := s.BeginTrial(t.Context(), one, dead); err != nil {
		t.Fatal(err)
	}
	if err := s.StopTrial(t.Context(), one.ID, "enough"); err != nil {
		t.Fatal(err)
	}
	one.Seconds = 7
	if err := s.SaveTrial(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	stops, err := s.StopsAsked(t.Context())
	if err != nil || len(stops) != 1 || stops[one.ID] != "enough" {
		t.Fatalf("stops are %v, %v: a save must not lose the wish", stops, err)
	}
	one.State = dropcap.TrialStopped
	if err := s.SaveTrial(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	running, err := s.RunningTrials(t.Context())
	all, err2 := s.Trials(t.Context())
	if stops, _ = s.StopsAsked(t.Context()); len(running)+len(stops) != 0 || len(all) != 1 ||
		all[0].Seconds != 7 || all[0].Process != "7:7" || errors.Join(err, err2) != nil {
		t.Errorf("running %v, all %v, stops %v, %v, %v", running, all, stops, err, err2)
	}
}

func TestOneTrialOfAContainerAtATime(t *testing.T) {
	s := open(t, t.TempDir())
	one, two := keptTrial("000000000001", "c"), keptTrial("000000000002", "c")
	if err := s.BeginTrial(t.Context(), one, dead); err != nil {
		t.Fatal(err)
	}
	err := s.BeginTrial(t.Context(), two, func(p string) bool { return p == one.Process })
	checkSentence(t, err, "000000000001 already runs")
	if !errors.Is(err, ErrBusy) {
		t.Errorf("%v is not ErrBusy", err)
	}
	// a hold beside a trial, another container, and one whose process is dead
	hold, other := keptTrial("000000000003", "c"), keptTrial("000000000004", "d")
	hold.Kind = dropcap.KindHold
	for _, x := range []KeptTrial{hold, other, two} {
		if err := s.BeginTrial(t.Context(), x, dead); err != nil {
			t.Errorf("%s: %v", x.ID, err)
		}
	}
}

func TestOldTrialsAreDeletedAndRunningOnesNever(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range trialsKept + 20 {
		x := keptTrial(fmt.Sprintf("%012d", i), fmt.Sprint(i))
		if i > 0 {
			x.State = dropcap.TrialDone
		}
		if err := s.BeginTrial(t.Context(), x, dead); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Trials(t.Context())
	if err != nil || len(all) != trialsKept+1 || all[len(all)-1].ID != "000000000000" {
		t.Errorf("%d are kept, %v", len(all), err)
	}
}
