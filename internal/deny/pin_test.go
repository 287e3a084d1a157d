package deny

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
)

// startDenier starts a process that denies SETGID to a box.
func startDenier(t *testing.T, b *box, pin string) *talker {
	t.Helper()
	cmd := exec.Command(self(t))
	cmd.Env = append(os.Environ(), denierEnv+"="+strings.TrimSpace(fmt.Sprint(b.id, " ", pin)))
	k := begin(t, cmd)
	if got := k.line(t); got != "denies" {
		t.Fatal(got)
	}
	return k
}

// pinFolder returns a folder for pins, which are released after the test.
func pinFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(bpffs, "dropcap-test")
	t.Cleanup(func() {
		if err := Release(dir); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is left", dir)
		}
	})
	return dir
}

func outlives(t *testing.T) {
	b, dir := newBox(t), pinFolder(t)
	k := startDenier(t, b, dir)
	expect(t, b, "setgroups:3", "setgroups 0 3")
	k.cmd.Process.Signal(unix.SIGKILL)
	k.cmd.Wait()
	expect(t, b, "setgroups:3", "setgroups 0 3")

	d, err := Open(Options{Hook: os.Getenv(hookEnv), Pin: dir})
	if err != nil {
		t.Fatal(err)
	}
	id := randomID()
	if err := d.Expect(id, chroot); err != nil { // it can be changed
		t.Fatal(err)
	}
	expect(t, boxAt(t, tree, id), "chroot:3", "chroot 0 3")
	if held, err := Held(dir); err != nil || !maps.Equal(held, map[string]caps.Set{id: chroot}) {
		t.Errorf("held: %v, %v", held, err)
	}
	expect(t, b, "setgroups:3 chroot", "setgroups 0 3, chroot 1 0")
	if n, _ := recorded(t, d, b); n[caps.Setgid] != 9 {
		t.Errorf("recorded %v, want all since the first process", n)
	}
	denies(t, d, b, 0)
	expect(t, b, "setgroups:3", "setgroups 3 0")
	denies(t, d, b, setgid)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	expect(t, b, "setgroups:3", "setgroups 0 3")
	takenOver(t, dir, b)
	if err := Release(dir); err != nil {
		t.Error(err)
	}
	expect(t, b, "setgroups:3", "setgroups 3 0")
	if err := Release(dir); err != nil {
		t.Errorf("released twice: %v", err)
	}
}

// takenOver plays an update of dropcap: what an earlier version pinned goes on in a new one.
func takenOver(t *testing.T, dir string, b *box) {
	t.Helper()
	list, err := filepath.Glob(dir + "/*")
	if err != nil || len(list) != 1 {
		t.Fatalf("%q, %v", list, err)
	}
	old := filepath.Join(dir, programName(os.Getenv(hookEnv))+"-0000000000000000")
	if err := os.Rename(list[0], old); err != nil {
		t.Fatal(err)
	}
	d, err := Open(Options{Hook: os.Getenv(hookEnv), Pin: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	expect(t, b, "setgroups:4", "setgroups 0 4")
	if n, _ := recorded(t, d, b); n[caps.Setgid] != 4 {
		t.Errorf("recorded %v by the new one", n)
	}
	if left, _ := filepath.Glob(dir + "/*"); len(left) != 1 || left[0] == old {
		t.Errorf("%q are left", left)
	}
}

func pinsSafely(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "pins")
	if _, err := Open(Options{Pin: elsewhere}); dropcap.AsError(err).Code != dropcap.CodeHost ||
		!strings.Contains(dropcap.AsError(err).Hint, "mount -t bpf") {
		t.Errorf("outside a bpffs: %v, hint %q", err, dropcap.AsError(err).Hint)
	}
	dir := filepath.Join(bpffs, "dropcap-test")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Pin: dir}); err == nil ||
		!strings.Contains(err.Error(), "others may write") {
		t.Errorf("a folder that others may write: %v", err)
	}
}

func releasedInUse(t *testing.T) {
	b, dir := newBox(t), pinFolder(t)
	startDenier(t, b, dir)
	expect(t, b, "setgroups:3", "setgroups 0 3")
	if err := Release(dir); err != nil {
		t.Fatal(err)
	}
	expect(t, b, "setgroups:3", "setgroups 3 0") // though the process has the link open
}
