package host

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A process is known by its number and its birth, and is dead once it is killed, also before
// anybody has waited for it.
func TestWhoIsWatchedIsKnownByNumberAndBirth(t *testing.T) {
	self, err := processOf(os.Getpid())
	if err != nil || !alive(self) {
		t.Fatalf("%s: %v", self, err)
	}
	if alive(self+"0") || alive("1:1") || alive("x") || alive("") {
		t.Error("another one of that number is taken for it")
	}
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	child, err := processOf(cmd.Process.Pid)
	if err != nil || !alive(child) {
		t.Fatalf("%s: %v", child, err)
	}
	_ = cmd.Process.Kill()
	h, done := New(Config{Store: filepath.Join(t.TempDir(), "none")}), make(chan error, 1)
	go func() { _, err := h.RecoverAfter(t.Context(), child, RecoverRequest{}); done <- err }()
	select {
	case err := <-done: // nothing was left, and no store is made
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("a zombie is taken for alive")
	}
	_ = cmd.Wait()
	if _, err := os.Stat(h.config.Store); err == nil {
		t.Error("a store was made")
	}
}

func TestAWatchThatIsNotNeededGoesAtOnce(t *testing.T) {
	dismiss, err := detached([]string{"/bin/sh", "-c", "echo " + Watching + "; exec sleep 600"})
	if err != nil {
		t.Fatal(err)
	}
	dismiss()
	for name, line := range map[string][]string{"says nothing": {"/bin/true"},
		"is not there": {"/none"}, "says something else": {"/bin/echo", "x"}} {
		if _, err := detached(line); err == nil {
			t.Errorf("one that %s is taken for one that watches", name)
		}
	}
}

// It holds none of this process's files, and is in a session of its own.
func TestAWatchHoldsNothing(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := filepath.Join(t.TempDir(), "held")
	dismiss, err := detached([]string{"/bin/sh", "-c", "ls -l /proc/self/fd | sed 's/.*-> //' >" +
		out + "; cut -d' ' -f6 /proc/$$/stat >>" + out + "; echo $$ >>" + out + "; echo " +
		Watching})
	if err != nil {
		t.Fatal(err)
	}
	defer dismiss()
	text, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	var all []string
	for s := bufio.NewScanner(text); s.Scan(); {
		all = append(all, s.Text())
		if s.Text() == f.Name() {
			t.Error("it holds the lock")
		}
	}
	if n := len(all); n < 2 || all[n-1] != all[n-2] {
		t.Errorf("its session is not its own: %q", all)
	}
}
