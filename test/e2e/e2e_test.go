// Package e2e_test runs the real program: scripts of commands (testscript), without an engine, and
// against a private real one.
package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// TestPlain runs the scripts that need no engine.
func TestPlain(t *testing.T) {
	runScripts(t, "testdata/plain", "DOCKER_HOST=unix:///nonexistent/docker.sock")
}

// TestEngine runs the scripts that need one, each with its own container names on the same engine.
func TestEngine(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	runScripts(t, "testdata/engine", e.Env()...)
}

// TestFirstHour runs the script of the first hour on an engine of its own, since two programs do
// not change containers of one engine at once.
func TestFirstHour(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	runScripts(t, "testdata/hour", e.Env()...)
}

func runScripts(t *testing.T, dir string, env ...string) {
	program := testenv.Binary(t)
	bin := t.TempDir()
	if err := os.Symlink(program, filepath.Join(bin, "dropcap")); err != nil {
		t.Fatal(err)
	}
	path := strings.Join([]string{bin, filepath.Join(testenv.Cache(), "base/bin"),
		os.Getenv("PATH")}, ":")
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(s *testscript.Env) error {
			s.Vars = append(s.Vars, "PATH="+path, "NO_COLOR=1")
			s.Vars = append(s.Vars, env...)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a command and checks its exit status: exits 3 dropcap audit. Its output is then
// available to stdout, stderr and cmp.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG...]")
	}
	// A wrapper reports the status, since testscript's own exec knows only success and failure.
	err := ts.Exec("sh", append([]string{"-c", `"$@"; echo $? >"$WORK/.status"`, "sh"},
		args[1:]...)...)
	if _, missing := err.(*exec.Error); missing {
		ts.Fatalf("%v", err)
	}
	got := strings.TrimSpace(ts.ReadFile(filepath.Join(ts.Getenv("WORK"), ".status")))
	if got != args[0] {
		ts.Fatalf("%s: exit status %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}
