package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// heard holds what a running program has printed so far.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

// After an interruption, by Ctrl-C or a terminal that goes away, the old container is back; and
// while one apply changes containers, no other does.
func TestAnInterruptRollsBackAndTwoDoNotApplyAtOnce(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	s := stage{t, e, filepath.Join(t.TempDir(), "store")}
	old := s.docker("run", "-d", "--name", "web", "--stop-timeout", "1", "--restart", "always",
		"app:1")
	for _, args := range [][]string{{"apply", "web"}, {"apply"}} { // which offers what is ready
		ask := exec.Command(testenv.Binary(t), append(args, "--no-watch", "--store", s.folder)...)
		ask.Env = append(os.Environ(), e.Env()...)
		interruptsTheQuestion(t, ask)
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
		cmd := exec.Command(testenv.Binary(t), "apply", "web", "--yes", "--soak", "10m",
			"--no-watch", "--store", s.folder)
		cmd.Env = append(os.Environ(), e.Env()...)
		out := &heard{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		dockertest.Eventually(t, time.Minute, "soak", func() bool {
			return strings.Contains(out.String(), "is ready")
		})
		for _, args := range [][]string{{"apply", "web", "--yes"}, {"backout", "--last", "--yes"},
			{"recover"}, {"prune", "--yes"}} {
			if said := s.dropcap(1, args...); !strings.Contains(said, "does so already") {
				t.Errorf("%v beside an apply: %s", args, said)
			}
		}
		_ = cmd.Process.Signal(signal)
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != 130 || !strings.Contains(out.String(),
			"interrupted; web was rolled back: the old container runs as before") {
			t.Errorf("%v: exit status %d\n%s", signal, got, out)
		}
		if now := s.docker("inspect", "--format",
			"{{.Id}} {{.State.Running}} {{.HostConfig.RestartPolicy.Name}}", "web"); now != old+
			" true always" {
			t.Errorf("%v: web is %s", signal, now)
		}
		if left := s.docker("ps", "-a", "-q", "--filter", "name=web-dropcap"); left != "" {
			t.Errorf("%v: left behind: %s", signal, left)
		}
	}
	if said := s.dropcap(0, "recover"); !strings.Contains(said, "nothing to recover") {
		t.Errorf("after all: %s", said)
	}
}
