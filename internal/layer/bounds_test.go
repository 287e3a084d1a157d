package layer

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap/internal/testenv"
)

func TestNamesWithoutEndAreAnErrorAndFillNoMemory(t *testing.T) {
	testenv.Need(t, testenv.Root)
	from, to := t.TempDir(), t.TempDir()
	must(t, os.MkdirAll(filepath.Join(from, "a/b"), 0o700))
	c := opened(t, from, to)
	carry(t, c)
	left := names(2*perEntry + 10)
	for _, path := range []string{"a", "a/b", strings.Repeat("c", 20)} {
		if err := left.take(path); (err != nil) != (len(path) == 20) {
			t.Errorf("%q: %v", path, err)
		}
	}
	// A path that is longer than any that a system call takes (PATH_MAX) is carried like others.
	fd, err := unix.Open(from, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	for range 30 {
		name := strings.Repeat("d", 200)
		must(t, unix.Mkdirat(fd, name, 0o700))
		next, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		must(t, err, unix.Close(fd))
		fd = next
	}
	must(t, unix.Close(fd))
	carry(t, c)
	verified(t, c)
}

// What a layer got after a time is told; what was carried into it is not, nor what others got.
func TestWhatWasWrittenSinceIsTold(t *testing.T) {
	from, to := oldLayer(t), t.TempDir()
	carry(t, opened(t, from, to))
	copied := time.Now()
	if !testenv.Within(time.Minute, func() bool { return time.Since(copied) > 2*clockMargin }) {
		t.Fatal("the clock stands still")
	}
	now := time.Now()
	list, err := Since(t.Context(), to, from, now, 100)
	must(t, err)
	if len(list) > 0 {
		t.Errorf("what was carried is told as written: %v", list)
	}
	at := func(name string) string { return filepath.Join(to, name) }
	must(t,
		os.WriteFile(at("var/cache/status"), []byte("changed"), 0o640),
		os.Mkdir(at("var/made"), 0o700),
		os.WriteFile(at("var/made/new"), nil, 0o600), unix.Mknod(at("hidden"), unix.S_IFCHR, 0),
		os.Remove(at("fifo")),
		os.WriteFile(filepath.Join(from, "old-only"), []byte("x"), 0o600),
		os.WriteFile(filepath.Join(from, "empty"), []byte("x"), 0o600),
	)
	list, err = Since(t.Context(), to, from, now, 100)
	must(t, err)
	want := []Written{{"hidden", true}, {"var/cache/status", false}, {"var/made/new", false},
		{"var/made", false}, {"var/other-name", false}}
	if fmt.Sprint(list) != fmt.Sprint(want) {
		t.Errorf("told is %v, want %v", list, want)
	}
	if list, err := Since(t.Context(), to, from, now, 2); err != nil || len(list) != 2 {
		t.Errorf("of at most 2: %v, %v", list, err)
	}
	// Where the time is not known, what the other one has is not told all the same.
	if list, err = Since(t.Context(), to, from, time.Time{}, 100); err != nil ||
		len(list) != len(want)+1 {
		// "empty", which the other has changed
		t.Errorf("of all times: %v, %v", list, err)
	}
}

// A file of which little changes is brought up to date block by block, whatever becomes of it.
func TestABlockThatChangesIsBroughtUpToDate(t *testing.T) {
	testenv.Need(t, testenv.Root)
	from, to := t.TempDir(), t.TempDir()
	name := filepath.Join(from, "f")
	data := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16+77)
	must(t, os.WriteFile(name, bytes.Repeat(data, 8), 0o600))
	c := opened(t, from, to)
	carry(t, c)
	verified(t, c)
	for what, change := range map[string]func(f *os.File) error{
		"a byte": func(f *os.File) error {
			_, err := f.WriteAt([]byte("X"), 5*block+17)
			return err
		},
		"the last": func(f *os.File) error {
			_, err := f.WriteAt([]byte("X"), int64(len(data))*8-1)
			return err
		},
		"zeros": func(f *os.File) error {
			_, err := f.WriteAt(make([]byte, 3*block), 9*block)
			return err
		},
		"a hole": func(f *os.File) error {
			return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE,
				2*block-5, 4*block)
		},
		"shorter": func(f *os.File) error { return f.Truncate(7*block + 3) },
		"longer":  func(f *os.File) error { return f.Truncate(1 << 28) },
		"more":    func(f *os.File) error { _, err := f.WriteAt([]byte("X"), 1<<27); return err },
		"empty":   func(f *os.File) error { return f.Truncate(0) },
	} {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		must(t, err, change(f), f.Close())
		carry(t, c)
		digest := verified(t, c)
		a, err := os.ReadFile(name)
		b, err2 := os.ReadFile(filepath.Join(to, "f"))
		must(t, err, err2)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: the contents differ", what)
		}
		if d, err := opened(t, from, to).Last(t.Context()); err != nil {
			t.Errorf("%s: %v, %v", what, d, err)
		}
		fresh := opened(t, from, t.TempDir()) // which has read it at once
		carry(t, fresh)
		if other := verified(t, fresh); other != digest {
			t.Errorf("%s: the digest is %s, and of a fresh copy %s", what, digest, other)
		}
	}
}
