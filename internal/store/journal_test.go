package store

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/testenv"
)

func journal(t *testing.T, s *Store, id string, state dropcap.ChangeState,
	keep map[string]json.RawMessage) {
	t.Helper()
	if err := s.Write(t.Context(), dropcap.Note{Change: dropcap.Change{ID: id, State: state},
		Keep: keep}); err != nil {
		t.Fatal(err)
	}
}

func ids(list []dropcap.Change) string {
	var all []string
	for _, c := range list {
		all = append(all, c.ID+"="+string(c.State))
	}
	return strings.Join(all, " ")
}

func TestTheJournalTellsWhatIsUnfinishedAndHowToUndoIt(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "s")
	s := open(t, folder)
	mustAdd(t, s, "w", "r")
	journal(t, s, "b", dropcap.Preparing,
		map[string]json.RawMessage{"original": json.RawMessage(`{"a":1}`)})
	journal(t, s, "a", dropcap.Preparing, nil)
	journal(t, s, "b", dropcap.Switching, nil)
	journal(t, s, "c", dropcap.NeedsPerson, nil)
	journal(t, s, "d", dropcap.Applied, nil)
	s.Close()
	s = open(t, folder)
	all, err := s.Changes(t.Context())
	if err != nil || ids(all) != "d=applied c=needs-person a=preparing b=switching" {
		t.Errorf("%s, %v", ids(all), err)
	}
	if list, err := s.Unfinished(t.Context()); err != nil ||
		ids(list) != "a=preparing b=switching" {
		t.Errorf("%s, %v", ids(list), err)
	}
	if kept, err := s.Kept(t.Context(), "b"); err != nil || string(kept["original"]) != `{"a":1}` ||
		len(kept) != 1 {
		t.Errorf("kept %v, %v", kept, err)
	}
	journal(t, s, "b", dropcap.RolledBack, map[string]json.RawMessage{})
	if kept, err := s.Kept(t.Context(), "b"); err != nil || len(kept) != 0 {
		t.Errorf("an end left %v, %v", kept, err)
	}
	if len(evidence(t, s)) != 1 {
		t.Error("evidence is gone")
	}
}

// A store of the first release is migrated together with its secret, or fingerprints would change.
func TestAnOlderStoreGetsAJournal(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "s")
	s := open(t, folder)
	mustAdd(t, s, "w", "r")
	mark := s.Fingerprint([]byte("x"))
	for _, q := range []string{"DROP TABLE hardening", "DROP TABLE trial", "DROP TABLE fleet_host",
		"DROP TABLE fleet_run",
		"DROP TABLE receipt", "DROP TABLE kept", "DROP TABLE change", "PRAGMA user_version = 1"} {
		if _, err := s.db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = open(t, folder)
	journal(t, s, "a", dropcap.Preparing, nil)
	if s.Fingerprint([]byte("x")) != mark || len(evidence(t, s)) != 1 {
		t.Error("something was lost on the way")
	}
}

func TestADamagedJournalIsNotRead(t *testing.T) {
	s := open(t, t.TempDir()+"/s")
	journal(t, s, "a", dropcap.Preparing,
		map[string]json.RawMessage{"original": json.RawMessage(`{}`)})
	for change, read := range map[string]func() error{
		"UPDATE change SET document = x'7b7d'": func() error {
			_, err := s.Changes(t.Context())
			return err
		},
		"UPDATE kept SET value = x'5b5d'": func() error {
			_, err := s.Kept(t.Context(), "a")
			return err
		},
	} {
		if _, err := s.db.Exec(change); err != nil {
			t.Fatal(err)
		}
		checkSentence(t, read(), "the journal of changes is damaged")
	}
}

func TestANoteOnAFullDiskIsAllOrNothing(t *testing.T) {
	dir := testenv.SmallDisk(t, "256k")
	s := open(t, dir+"/s")
	journal(t, s, "a", dropcap.Preparing,
		map[string]json.RawMessage{"original": json.RawMessage(`{"a":1}`)})
	testenv.Fill(t, dir+"/filler")
	big := json.RawMessage(`"` + strings.Repeat("x", 100_000) + `"`)
	err := s.Write(context.Background(),
		dropcap.Note{Change: dropcap.Change{ID: "a", State: dropcap.Switching},
			Keep: map[string]json.RawMessage{"original": big}})
	checkSentence(t, err, "the disk is full")
	if list, err := s.Unfinished(t.Context()); err != nil || ids(list) != "a=preparing" {
		t.Errorf("%s, %v", ids(list), err)
	}
	if kept, err := s.Kept(t.Context(), "a"); err != nil || string(kept["original"]) != `{"a":1}` {
		t.Errorf("%v, %v", kept, err)
	}
	if err := os.Remove(dir + "/filler"); err != nil {
		t.Fatal(err)
	}
	journal(t, s, "a", dropcap.Switching, nil)
}
