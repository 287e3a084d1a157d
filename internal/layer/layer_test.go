package layer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap/internal/testenv"
)

// must fails the test at the first error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// oldLayer makes a folder with one of everything that an upper folder of overlayfs can hold.
func oldLayer(t *testing.T) string {
	t.Helper()
	testenv.Need(t, testenv.Root)
	d := t.TempDir()
	at := func(name string) string { return filepath.Join(d, name) }
	must(t,
		os.MkdirAll(at("var/cache/deep/er"), 0o755),
		os.WriteFile(at("var/cache/status"), []byte("up"), 0o640),
		os.WriteFile(at("empty"), nil, 0o600),
		os.WriteFile(at("big"), bytes.Repeat([]byte("0123456789abcdef"), 100_000), 0o644),
		os.WriteFile(at("setuid"), []byte("#!"), 0o755), os.Chown(at("setuid"), 1000, 33),
		unix.Chmod(at("setuid"), 0o6755),
		os.Link(at("var/cache/status"), at("var/other-name")),
		os.WriteFile(at("equal-but-not-linked"), []byte("up"), 0o640),
		os.Symlink("/etc/passwd", at("link")), os.Symlink("nowhere", at("var/dangling")),
		os.Lchown(at("link"), 7, 8),
		unix.Mkfifo(at("fifo"), 0o622),
		unix.Mknod(at("socket"), unix.S_IFSOCK|0o777, 0),
		unix.Mknod(at("removed"), unix.S_IFCHR, 0), // a whiteout
		unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))),
		os.Mkdir(at("opaque"), 0o1777), unix.Lsetxattr(at("opaque"), "trusted.overlay.opaque",
			[]byte("y"), 0),
		unix.Lsetxattr(at("link"), "trusted.mark", []byte("of a link"), 0),
		unix.Lsetxattr(at("big"), "user.note", []byte("text"), 0),
		unix.Lsetxattr(at("big"), "user.none", nil, 0),
		// VFS_CAP_REVISION_2, effective, CAP_NET_BIND_SERVICE permitted (linux/capability.h)
		unix.Lsetxattr(at("empty"), "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0, 0, 0, 0}, 0),
		os.WriteFile(at("odd \n\x1b[31m-name\\'\""), []byte("x"), 0o600),
		os.WriteFile(at(strings.Repeat("n", 255)), []byte("x"), 0o600),
	)
	sparse(t, at("sparse"))
	chattr(t, at("var/cache/status"), 0x40|0x80) // no dump, no time of access
	chattr(t, at("var"), 0x40)                   // which what is made in it inherits
	long := time.Date(1999, 12, 31, 23, 59, 59, 123456789, time.UTC)
	must(t, os.Chtimes(at("var/cache/status"), long, long), os.Chtimes(at("var/cache/deep"), long,
		long), os.Chtimes(d, long, long))
	return d
}

// chattr sets an inode's flags, where the file system has any.
func chattr(t *testing.T, path string, flags int) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS,
		flags); err != nil && !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.ENOTSUP) {
		t.Fatal(err)
	}
}

// sparse makes a file of 1 GiB with three small parts.
func sparse(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err, f.Truncate(1<<30))
	for _, at := range []int64{0, 300_000_001, 1<<30 - 5} {
		_, err := f.WriteAt([]byte("here!"), at)
		must(t, err)
	}
	must(t, f.Close())
}

func opened(t *testing.T, from, to string) *Carrier {
	t.Helper()
	c, err := Open(from, to)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func carry(t *testing.T, c *Carrier) Passed {
	t.Helper()
	done, err := c.Pass(t.Context())
	must(t, err)
	return done
}

func verified(t *testing.T, c *Carrier) string {
	t.Helper()
	digest, err := c.Verify(t.Context())
	must(t, err)
	return digest
}

func TestEverythingIsCarried(t *testing.T) {
	from, to := oldLayer(t), t.TempDir()
	c := opened(t, from, to)
	before, err := c.Measure(t.Context())
	must(t, err)
	done := carry(t, c)
	digest := verified(t, c)
	if done.Size != before {
		t.Errorf("a pass saw %+v, Measure %+v", done.Size, before)
	}
	for _, name := range []string{"var/cache/status", "setuid"} {
		var a, b unix.Stat_t
		must(t, unix.Lstat(filepath.Join(from, name), &a), unix.Lstat(filepath.Join(to, name), &b))
		if a.Mode != b.Mode || a.Uid != b.Uid || a.Gid != b.Gid || a.Mtim != b.Mtim ||
			a.Nlink != b.Nlink {
			t.Errorf("%s is %+v and became %+v", name, a, b)
		}
	}
	var whiteout, holes unix.Stat_t
	must(t, unix.Lstat(filepath.Join(to, "removed"), &whiteout),
		unix.Lstat(filepath.Join(to, "sparse"), &holes))
	if whiteout.Mode&unix.S_IFMT != unix.S_IFCHR || whiteout.Rdev != 0 {
		t.Errorf("the whiteout became %+v", whiteout)
	}
	if holes.Size != 1<<30 || holes.Blocks*512 > 1<<20 {
		t.Errorf("the sparse file became %d bytes in %d blocks", holes.Size, holes.Blocks)
	}
	// The other way round nothing is left to be done, and the proof is the same.
	back := opened(t, to, from)
	if again := carry(t, back); again.Entries != done.Entries {
		t.Errorf("the way back sees %d entries, not %d", again.Entries, done.Entries)
	}
	if other := verified(t, back); other != digest {
		t.Errorf("the digests differ: %s and %s", digest, other)
	}
}

// Each way in which two layers can differ must be seen, or the proof proves nothing.
func TestEachDifferenceIsSeen(t *testing.T) {
	at := func(d, name string) string { return filepath.Join(d, name) }
	for name, spoil := range map[string]func(d string) error{
		"a byte": func(d string) error {
			var st unix.Stat_t
			if err := unix.Lstat(at(d, "big"), &st); err != nil {
				return err
			}
			f, err := os.OpenFile(at(d, "big"), os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte("X"), 1_000_000); err != nil {
				return err
			}
			return unix.UtimesNanoAt(unix.AT_FDCWD, at(d, "big"), []unix.Timespec{st.Atim, st.Mtim},
				0)
		},
		"a missing file": func(d string) error { return os.Remove(at(d, "empty")) },
		"one more file": func(d string) error {
			return os.WriteFile(at(d, "var/more"), nil, 0o600)
		},
		"a mode":            func(d string) error { return unix.Chmod(at(d, "big"), 0o600) },
		"a set-user-ID bit": func(d string) error { return unix.Chmod(at(d, "setuid"), 0o755) },
		"an owner":          func(d string) error { return os.Lchown(at(d, "link"), 7, 9) },
		"a time": func(d string) error {
			return os.Chtimes(at(d, "var/cache/deep"), time.Now(), time.Now())
		},
		"a link's target": func(d string) error {
			_ = os.Remove(at(d, "var/dangling"))
			return os.Symlink("elsewhere", at(d, "var/dangling"))
		},
		"a capability": func(d string) error {
			return unix.Lremovexattr(at(d, "empty"), "security.capability")
		},
		"an opaque folder": func(d string) error {
			return unix.Lremovexattr(at(d, "opaque"), "trusted.overlay.opaque")
		},
		"an empty attribute": func(d string) error {
			return unix.Lremovexattr(at(d, "big"), "user.none")
		},
		"an attribute more": func(d string) error {
			return unix.Lsetxattr(at(d, "link"), "trusted.more", []byte("1"), 0)
		},
		"a hard link": func(d string) error {
			_ = os.Remove(at(d, "equal-but-not-linked"))
			return os.Link(at(d, "var/cache/status"), at(d, "equal-but-not-linked"))
		},
		"a whiteout": func(d string) error {
			_ = os.Remove(at(d, "removed"))
			return unix.Mknod(at(d, "removed"), unix.S_IFCHR, int(unix.Mkdev(1, 3)))
		},
		"the layer's own mode": func(d string) error { return unix.Chmod(d, 0o711) },
	} {
		t.Run(name, func(t *testing.T) {
			to := t.TempDir()
			c := opened(t, oldLayer(t), to)
			carry(t, c)
			verified(t, c)
			must(t, spoil(to))
			if digest, err := c.Verify(t.Context()); err == nil {
				t.Errorf("nothing is seen: %s", digest)
			}
			carry(t, c)
			// A pass trusts what it copied itself; whatever else differs it mends, and the proof
			// has the last word.
			if _, err := c.Verify(t.Context()); err != nil && name != "a byte" &&
				name != "a capability" && name != "an empty attribute" &&
				name != "an attribute more" {
				t.Errorf("a pass does not mend it: %v", err)
			}
		})
	}
}

// What programs do between two passes, and how that could go unseen.
func TestTheSecondPassSeesWhatChanged(t *testing.T) {
	from, to := oldLayer(t), t.TempDir()
	at := func(name string) string { return filepath.Join(from, name) }
	f, err := os.OpenFile(at("big"), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	mapped, err := unix.Mmap(int(f.Fd()), 0, 1_600_000, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED)
	must(t, err)
	defer func() { _ = unix.Munmap(mapped) }()
	mapped[4096*7] = 'a' // the page is dirty when the first pass begins
	c := opened(t, from, to)
	first := carry(t, c)
	verified(t, c)
	mapped[4096*7] = 'b' // and written again, with no system call
	var st unix.Stat_t
	must(t, unix.Lstat(at("var/cache/status"), &st))
	must(t,
		// of the same length, and its time put back
		os.WriteFile(at("var/cache/status"), []byte("dn"), 0o640),
		unix.UtimesNanoAt(unix.AT_FDCWD, at("var/cache/status"), []unix.Timespec{st.Atim, st.Mtim},
			0),
		os.Remove(at("equal-but-not-linked")), os.Mkdir(at("equal-but-not-linked"), 0o700),
		os.RemoveAll(at("var/cache/deep")), os.Symlink("/", at("var/cache/deep")),
		os.Rename(at("setuid"), at("var/renamed")),
		unix.Lremovexattr(at("empty"), "security.capability"),
	)
	second := carry(t, c)
	verified(t, c)
	if got, err := os.ReadFile(filepath.Join(to, "var/other-name")); err != nil ||
		string(got) != "dn" {
		t.Errorf("the other name of a changed file reads %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(to, "big")); err != nil || got[4096*7] != 'b' {
		t.Errorf("what was written by mmap is lost: %v", err)
	}
	if second.Copied >= first.Copied {
		t.Errorf("the second pass copied %d bytes, the first %d", second.Copied, first.Copied)
	}
	if third := carry(t, c); third.Copied > second.Copied {
		t.Errorf("a pass over what stands still copies %d bytes", third.Copied)
	}
}

// A page that a program writes while the disk is slow to take the rest may be written again after
// it was copied, and no time tells of that.
func TestWhatIsMappedIsSeenThoughTheDiskIsSlow(t *testing.T) {
	testenv.Need(t, testenv.Root)
	from, to := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(from, "db"), make([]byte, 1<<20), 0o600))
	f, err := os.OpenFile(filepath.Join(from, "db"), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	mapped, err := unix.Mmap(int(f.Fd()), 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED)
	must(t, err)
	defer func() { _ = unix.Munmap(mapped) }()
	pause := func() {
		now := time.Now()
		if !testenv.Within(time.Minute, func() bool { return time.Since(now) > 2*clockMargin }) {
			t.Fatal("the clock stands still")
		}
	}
	mapped[4096*7] = 'a'
	pause()
	syncfs = func(fd int) error {
		err := unix.Syncfs(fd)
		mapped[4096*7] = 'b'
		pause()
		return err
	}
	defer func() { syncfs = unix.Syncfs }()
	c := opened(t, from, to)
	carry(t, c)
	mapped[4096*7] = 'c'
	if _, err := c.Last(t.Context()); err != nil {
		t.Fatal(err)
	}
	verified(t, c)
	if got, err := os.ReadFile(filepath.Join(to, "db")); err != nil || got[4096*7] != 'c' {
		t.Errorf("the page reads %q, %v", got[4096*7], err)
	}
}

// A container may do whatever it likes to its layer while it is copied: nothing outside it is read
// or written, and nothing blocks.
func TestAHostileLayerLeadsNowhere(t *testing.T) {
	testenv.Need(t, testenv.Root)
	from, to, outside := t.TempDir(), t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("the host's"), 0o600),
		os.Mkdir(filepath.Join(from, "d"), 0o755))
	for i := range 200 {
		must(t, os.WriteFile(filepath.Join(from, "d", fmt.Sprint(i)), []byte("mine"), 0o644))
	}
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		// swaps the folder for a link that leads out, and a file for a FIFO that nobody writes
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(filepath.Join(from, "d"), filepath.Join(from, "e"))
			_ = os.Symlink(outside, filepath.Join(from, "d"))
			_ = os.Remove(filepath.Join(from, "e", "7"))
			_ = unix.Mkfifo(filepath.Join(from, "e", "7"), 0o600)
			_ = os.Remove(filepath.Join(from, "d"))
			_ = os.Rename(filepath.Join(from, "e"), filepath.Join(from, "d"))
			_ = os.Remove(filepath.Join(from, "d", "7"))
			_ = os.WriteFile(filepath.Join(from, "d", "7"), []byte("mine"), 0o644)
		}
	}()
	end := sync.OnceFunc(func() {
		close(stop)
		<-done
	})
	t.Cleanup(end)
	c := opened(t, from, to)
	for range 30 {
		carry(t, c)
	}
	end()
	carry(t, c)
	verified(t, c)
	must(t, filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
				t.Errorf("%s reads %q, %v", path, b, err)
			}
		}
		return err
	}))
	if b, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil ||
		string(b) != "the host's" {
		t.Errorf("the host's file reads %q, %v", b, err)
	}
}

func TestDeepFoldersAreAnErrorAndNoOverflow(t *testing.T) {
	testenv.Need(t, testenv.Root)
	from, to := t.TempDir(), t.TempDir()
	fd, err := unix.Open(from, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	for range maxDepth + 5 {
		must(t, unix.Mkdirat(fd, "d", 0o700))
		next, err := unix.Openat(fd, "d", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		must(t, err, unix.Close(fd))
		fd = next
	}
	must(t, unix.Close(fd))
	c := opened(t, from, to)
	if _, err := c.Pass(t.Context()); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("the error is %v", err)
	}
}
