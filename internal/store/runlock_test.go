package store_test

import (
	"path/filepath"
	"strings"
	"testing"

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
