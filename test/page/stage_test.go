// Package page_test drives the pages of the real program on a real engine in a real browser: it
// looks, plans, changes, watches a change fail and be rolled back, and takes changes back.
package page_test

import (
	"bufio"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
	"dropcap/internal/testenv/browser"
)

// stage is an engine, a store, and `dropcap serve` over both.
type stage struct {
	*testing.T
	engine *dockertest.Engine
	store  string
	host   []string // the engine's address, for dropcap
	url    string   // without a path
	link   string   // path and query
	pid    int      // of the server
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t, engine: dockertest.Start(t, dockertest.Docker20),
		store: filepath.Join(t.TempDir(), "store")}
	s.host = s.engine.Env()
	if _, err := s.engine.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stage) docker(args ...string) string {
	s.Helper()
	out, err := s.engine.CLI(args...)
	if err != nil {
		s.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// id is the id of the container that has a name now, and whether it runs.
func (s *stage) id(name string) string {
	s.Helper()
	return s.docker("inspect", "--format", "{{.Id}} {{.State.Running}}", name)
}

// serve starts the server, and reads its link.
func (s *stage) serve(args ...string) {
	s.Helper()
	cmd := exec.Command(testenv.Binary(s.T), append([]string{"serve", "--listen", "127.0.0.1:0",
		"--store", s.store}, args...)...)
	cmd.Env = append(os.Environ(), s.host...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			s.Errorf("serve ended with %v", err)
		}
	})
	s.pid = cmd.Process.Pid
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.Fatal(err)
	}
	at, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		s.Fatal(err)
	}
	s.url, s.link = at.Scheme+"://"+at.Host, at.RequestURI()
}

// dropcap runs the program beside the server, on the same store.
func (s *stage) dropcap(args ...string) {
	s.Helper()
	if said, ok := s.try(args...); !ok {
		s.Fatalf("dropcap %v: %s", args, said)
	}
}

// try is the same where it may fail.
func (s *stage) try(args ...string) (said string, ok bool) {
	s.Helper()
	cmd := exec.Command(testenv.Binary(s.T), append(args, "--store", s.store)...)
	cmd.Env = append(os.Environ(), s.host...)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func (s *stage) browse() *browser.Tab {
	s.Helper()
	b := browser.Open(s.T, s.url, s.link)
	b.Says(`location.pathname`, "/")
	return b
}
