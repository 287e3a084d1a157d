package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func open(t testing.TB, folder string) *Store {
	t.Helper()
	s, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// add counts one more source, as a learner merges.
func add(s *Store, workload, revision string) error {
	return s.Update(context.Background(), workload, revision,
		func(old *dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
			if old == nil {
				old = &dropcap.WorkloadEvidence{Held: caps.Of(caps.Chown)}
			}
			old.Sources = append(old.Sources,
				dropcap.Source{Container: fmt.Sprint(len(old.Sources))})
			return *old, nil
		})
}

func mustAdd(t *testing.T, s *Store, workload, revision string) {
	t.Helper()
	if err := add(s, workload, revision); err != nil {
		t.Fatal(err)
	}
}

func evidence(t *testing.T, s *Store) []dropcap.WorkloadEvidence {
	t.Helper()
	list, err := s.Evidence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEvidenceIsKeptByWorkloadAndRevision(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "s")
	s := open(t, folder)
	if list := evidence(t, s); list == nil || len(list) != 0 {
		t.Errorf("a new store holds %v", list)
	}
	for _, key := range [][2]string{{"docker:db", "sha256:2"}, {"docker:db", "sha256:1"},
		{"compose:shop/web", "sha256:1"}, {"docker:db", "sha256:2"}} {
		mustAdd(t, s, key[0], key[1])
	}
	s.Close()
	s = open(t, folder)
	var got []string
	for _, e := range evidence(t, s) {
		got = append(got, fmt.Sprintf("%s %s %d %s", e.Workload, e.Revision, len(e.Sources),
			e.Held))
	}
	want := "compose:shop/web sha256:1 1 CHOWN|docker:db sha256:1 1 CHOWN|docker:db sha256:2 2 " +
		"CHOWN"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
	if n, err := s.Forget(t.Context(), "docker:db", "sha256:1"); n != 1 || err != nil {
		t.Errorf("forget one: %d, %v", n, err)
	}
	if n, err := s.Forget(t.Context(), "docker:none", ""); n != 0 || err != nil {
		t.Errorf("forget none: %d, %v", n, err)
	}
	if n, err := s.Forget(t.Context(), "compose:shop/web", ""); n != 1 || err != nil ||
		len(evidence(t, s)) != 1 {
		t.Errorf("forget all of one: %d, %v", n, err)
	}
}

func TestARefusedChangeChangesNothing(t *testing.T) {
	s := open(t, t.TempDir()+"/s")
	mustAdd(t, s, "w", "r")
	no := errors.New("no")
	err := s.Update(t.Context(), "w", "r",
		func(old *dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
			old.Sources = nil
			return *old, no
		})
	if err != no || len(evidence(t, s)[0].Sources) != 1 {
		t.Errorf("%v, %v", err, evidence(t, s))
	}
	mustAdd(t, s, "w", "r") // and the store goes on
}

func TestTooMuchIsRefused(t *testing.T) {
	s := open(t, t.TempDir()+"/s")
	err := s.Update(t.Context(), "w", "r",
		func(*dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
			return dropcap.WorkloadEvidence{ImageID: strings.Repeat("x", MaxDocument)}, nil
		})
	checkSentence(t, err, "larger than 4 MiB")
	checkSentence(t, add(s, strings.Repeat("x", maxKey+1), "r"), "longer than")
	if len(evidence(t, s)) != 0 {
		t.Error("kept")
	}
}

func TestACancelledUpdateChangesNothing(t *testing.T) {
	s := open(t, t.TempDir()+"/s")
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, "w", "r",
		func(*dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
			cancel()
			return dropcap.WorkloadEvidence{}, nil
		})
	if dropcap.ExitOf(err) != dropcap.ExitInterrupt || len(evidence(t, s)) != 0 {
		t.Errorf("%v, %v", err, evidence(t, s))
	}
}

func TestFingerprintsBelongToTheStore(t *testing.T) {
	folder := t.TempDir() + "/s"
	s, other := open(t, folder), open(t, t.TempDir()+"/s")
	first := s.Fingerprint([]byte("secret"))
	s.Close()
	again := open(t, folder)
	switch {
	case len(first) != 64 || first != again.Fingerprint([]byte("secret")):
		t.Errorf("%q, then %q", first, again.Fingerprint([]byte("secret")))
	case first == other.Fingerprint([]byte("secret")) || first == s.Fingerprint([]byte("Secret")):
		t.Error("fingerprints do not differ")
	}
}

// Every file is ours alone, whatever the umask, also while a transaction has its journal.
func TestModes(t *testing.T) {
	folder := t.TempDir() + "/s"
	s := open(t, folder)
	unlock, err := s.Lock("learn")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	check := func() {
		names, _ := filepath.Glob(folder + "/*")
		for _, name := range append(names, folder) {
			info, err := os.Stat(name)
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
		if len(names) < 3 {
			t.Errorf("only %v", names)
		}
	}
	err = s.Update(t.Context(), "w", "r",
		func(*dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
			return dropcap.WorkloadEvidence{}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	check()
	s.Close()
	if err := os.Chmod(folder+"/"+fileName, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, folder)
	check()
}

func TestThePragmasHold(t *testing.T) {
	s := open(t, t.TempDir()+"/s")
	for name, want := range map[string]string{
		"journal_mode": "truncate", "synchronous": "2", "foreign_keys": "1",
		"busy_timeout": "10000", "secure_delete": "1", "max_page_count": "262144",
	} {
		var got string
		if err := s.db.QueryRow("PRAGMA " + name).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
}

// checkSentence checks an error's form and words.
func checkSentence(t *testing.T, err error, words string) {
	t.Helper()
	var own *dropcap.Error
	if !errors.As(err, &own) || !strings.HasPrefix(own.Message, "cannot ") ||
		!strings.Contains(own.Message, words) || strings.Contains(own.Message, "\n") {
		t.Errorf("error %q; want a sentence with %q", err, words)
	}
}

func TestManyAreKeptTogetherOrNotAtAll(t *testing.T) {
	s := open(t, t.TempDir())
	keys := [][2]string{{"docker:a", "1"}, {"docker:b", "1"}}
	add := func(_ int, old *dropcap.WorkloadEvidence) (w dropcap.WorkloadEvidence) {
		if old != nil {
			w = *old
		}
		w.ImageID += "x"
		return w
	}
	for range 2 {
		if err := s.UpdateMany(t.Context(), keys, add); err != nil {
			t.Fatal(err)
		}
	}
	huge := func(i int, _ *dropcap.WorkloadEvidence) dropcap.WorkloadEvidence {
		return dropcap.WorkloadEvidence{ImageID: strings.Repeat("y", i*(MaxDocument+1))}
	}
	if s.UpdateMany(t.Context(), keys, huge) == nil {
		t.Error("what is too large was kept")
	}
	list, err := s.Evidence(t.Context())
	if err != nil || len(list) != 2 || list[0].ImageID != "xx" || list[1].ImageID != "xx" {
		t.Errorf("got %+v, %v", list, err)
	}
}
