package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/store"
)

func TestOneProcessGoesOnWithARun(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "store")
	s, err := store.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const id = "0123456789ab"
	unlock, err := s.LockRun(id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.LockRun(id); err == nil || !strings.Contains(err.Error(), "does so already") {
		t.Errorf("locked twice: %v", err)
	}
	unlock()
	again, err := s.LockRun(id)
	if err != nil {
		t.Fatal(err)
	}
	again()
	if left, _ := filepath.Glob(filepath.Join(folder, "run-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := s.LockRun("../x"); err == nil {
		t.Error("a run of any name is locked")
	}
}

func TestARunThatIsForgottenIsGoneWithItsHosts(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const id = "0123456789ab"
	for range 2 {
		if err := s.SaveRun(t.Context(), dropcap.FleetRun{ID: id}); err != nil {
			t.Fatal(err)
		}
		if _, hosts, err := s.Run(t.Context(), id); err != nil || len(hosts) != 0 {
			t.Fatalf("%v: hosts of before are there: %v", err, hosts)
		}
		if err := s.SaveHosts(t.Context(), id,
			[]dropcap.FleetHost{{Host: "1/eu-west-1/i-1"}}); err != nil {
			t.Fatal(err)
		}
		if err := s.ForgetRun(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Run(t.Context(), id); !errors.Is(err, dropcap.ErrNotFound) {
			t.Errorf("it is there still: %v", err)
		}
	}
}
