package image

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/testenv"
)

// program copies true, with these file capabilities.
func program(t *testing.T, dir, name, attribute string) string {
	t.Helper()
	real, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(real)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(file, "security.capability", []byte(attribute), 0); err != nil {
		t.Fatal(err)
	}
	return file
}

// without executes a file with a bounding set that lacks a capability.
func without(c caps.Cap, file string) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its bounding set
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
			done <- err
			return
		}
		done <- exec.Command(file).Run()
	}()
	return <-done
}

// The kernel refuses exactly those programs that Needs names, and Scan reads what tar writes.
func TestNeedsAreTheKernels(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.Tool("tar", "tar"))
	dir := t.TempDir()
	for _, c := range []struct {
		name, attribute string
		refused         bool
	}{
		{"raised", value(0x02000001, 1<<caps.NetBindService, 0, 0, 0), true},
		{"two", value(0x02000001, 1<<caps.Chown|1<<caps.NetBindService, 0, 0, 0), true},
		{"not-raised", value(0x02000000, 1<<caps.NetBindService, 0, 0, 0), false},
		{"inheritable", value(0x02000001, 0, 1<<caps.NetBindService, 0, 0), false},
		{"another", value(0x02000001, 1<<caps.Chown, 0, 0, 0), false},
		{"foreign", value(0x03000001, 1<<caps.NetBindService, 0, 0, 0, 231072), false},
	} {
		file := program(t, dir, c.name, c.attribute)
		err := without(caps.NetBindService, file)
		if errors.Is(err, unix.EPERM) != c.refused || !c.refused && err != nil {
			t.Errorf("%s: the kernel says %v", c.name, err)
		}
		content, err := exec.Command("tar", "-C", dir, "--xattrs", "--xattrs-include=security.*",
			"-cf", "-", c.name).Output()
		if err != nil {
			t.Fatal(err)
		}
		f := scan(t, content)
		if len(f.Programs) != 1 || f.Incomplete != "" {
			t.Fatalf("%s: %+v", c.name, f)
		}
		named := false
		for _, n := range Needs(f, Run{Executed: []dropcap.Executable{{Path: "/" + c.name}}}) {
			named = named || n.Cap == caps.NetBindService
		}
		if named != c.refused {
			t.Errorf("%s: named %v, and refused %v", c.name, named, c.refused)
		}
	}
}
