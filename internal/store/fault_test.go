package store

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/testenv"
)

func TestAFullDiskLosesNothing(t *testing.T) {
	dir := testenv.SmallDisk(t, "256k")
	s := open(t, dir+"/s")
	mustAdd(t, s, "w", "r")
	testenv.Fill(t, dir+"/filler")
	big := func(*dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
		return dropcap.WorkloadEvidence{ImageID: strings.Repeat("x", 100_000)}, nil
	}
	for range 3 {
		checkSentence(t, s.Update(t.Context(), "w", "r", big), "the disk is full")
	}
	if unlock, err := s.Lock("learn"); err == nil {
		unlock()
	} else {
		checkSentence(t, err, "the disk is full")
	}
	if list := evidence(t, s); len(list) != 1 || len(list[0].Sources) != 1 {
		t.Errorf("on the full disk: %+v", list)
	}
	s.Close()
	s = open(t, dir+"/s") // it opens on a full disk, too
	if list := evidence(t, s); len(list) != 1 || len(list[0].Sources) != 1 {
		t.Errorf("opened on the full disk: %+v", list)
	}
	if err := os.Remove(dir + "/filler"); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, s, "w", "r")
	if list := evidence(t, s); len(list[0].Sources) != 2 {
		t.Errorf("after making room: %+v", list)
	}
}

func TestNoStoreOnAFullDisk(t *testing.T) {
	dir := testenv.SmallDisk(t, "256k")
	testenv.Fill(t, dir+"/filler")
	_, err := Open(dir + "/s")
	checkSentence(t, err, "the disk is full")
	if err := os.Remove(dir + "/filler"); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, open(t, dir+"/s"), "w", "r") // a half-made store is no obstacle
}

func TestAReadOnlyFileSystem(t *testing.T) {
	dir := testenv.SmallDisk(t, "256k")
	s := open(t, dir+"/s")
	mustAdd(t, s, "w", "r")
	s.Close()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir+"/s")
	if list := evidence(t, s); len(list) != 1 {
		t.Errorf("read %+v", list)
	}
	checkSentence(t, add(s, "w", "r"), "read-only")
	_, err := s.Lock("learn")
	if err != nil {
		checkSentence(t, err, "read-only")
	}
	_, err = s.Forget(t.Context(), "w", "")
	checkSentence(t, err, "read-only")
	_, err = Open(dir + "/other")
	checkSentence(t, err, "read-only")
}

func TestADamagedFile(t *testing.T) {
	for name, harm := range map[string]func([]byte) []byte{
		"not SQLite": func([]byte) []byte { return []byte(strings.Repeat("garbage ", 2000)) },
		"cut off":    func(b []byte) []byte { return b[:len(b)/2] },
		"zeroed page": func(b []byte) []byte {
			return append(b[:4096:4096], make([]byte, len(b)-4096)...)
		},
		"one bit": func(b []byte) []byte {
			i := strings.Index(string(b), "the-container")
			b[i] ^= 1
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir() + "/s"
			s := open(t, folder)
			err := s.Update(t.Context(), "w", "r",
				func(*dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
					sources := []dropcap.Source{{Container: "the-container"}}
					return dropcap.WorkloadEvidence{Sources: sources}, nil
				})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			text, err := os.ReadFile(folder + "/" + fileName)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(folder+"/"+fileName, harm(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if s, err = Open(folder); err == nil {
				defer s.Close()
				_, err = s.Evidence(t.Context())
			}
			checkSentence(t, err, "damaged")
		})
	}
}

func TestForeignFiles(t *testing.T) {
	change := func(t *testing.T, query string) error {
		folder := t.TempDir() + "/s"
		if s := open(t, folder); query != "" {
			s.Close()
			db, err := sql.Open("sqlite", folder+"/"+fileName)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(query); err != nil {
				t.Fatal(err)
			}
		}
		before, _ := os.ReadFile(folder + "/" + fileName)
		_, err := Open(folder)
		if after, _ := os.ReadFile(folder + "/" + fileName); string(before) != string(after) {
			t.Error("the refused file was changed")
		}
		return err
	}
	checkSentence(t, change(t, "PRAGMA user_version = 99"), "a newer dropcap")
	checkSentence(t, change(t, "PRAGMA application_id = 7"), "another program's")
	checkSentence(t, change(t, "PRAGMA application_id = 0; PRAGMA user_version = 0"),
		"another program's")
}

func TestFoldersThatAreRefused(t *testing.T) {
	testenv.Need(t, testenv.Root)
	for name, c := range map[string]struct {
		make func(dir string) error
		want string
	}{
		"group may write": {func(d string) error {
			return mkdir(d, 0o770)
		}, "other users may write"},
		"others may write": {func(d string) error {
			return mkdir(d, 0o1777)
		}, "other users may write"},
		"another's": {func(d string) error {
			_ = mkdir(d, 0o700)
			return os.Chown(d, 1000, 1000)
		}, "belongs to another user"},
		"link": {func(d string) error {
			_ = mkdir(d+"-real", 0o700)
			return os.Symlink(d+"-real", d)
		}, "it is a link"},
		"file": {func(d string) error { return os.WriteFile(d, nil, 0o600) }, "not a folder"},
		"the file is a link": {func(d string) error {
			_ = mkdir(d, 0o700)
			return os.Symlink("/etc/passwd", d+"/"+fileName)
		}, "not a regular file"},
		"the file is another's": {func(d string) error {
			_ = mkdir(d, 0o700)
			_ = os.WriteFile(d+"/"+fileName, nil, 0o600)
			return os.Chown(d+"/"+fileName, 1000, 1000)
		}, "belongs to another user"},
		"above": {func(d string) error {
			return os.Chmod(filepath.Dir(d), 0o777)
		}, "other users may write"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/s"
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir)
			checkSentence(t, err, c.want)
		})
	}
}

func mkdir(dir string, mode uint32) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return unix.Chmod(dir, mode)
}
