package dockertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropcap/internal/testenv"
)

// callWithin is how long one API call of a helper may take on a slow host.
const callWithin = 2 * time.Minute

func callContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), callWithin)
}

func (e *Engine) must(tb testing.TB, method, path, body string, out any) {
	tb.Helper()
	ctx, cancel := callContext()
	defer cancel()
	if err := e.call(ctx, method, path, body, out); err != nil {
		tb.Fatal(err)
	}
}

// Create creates a container from the unchanged body of POST /containers/create, and removes it at
// the test's end. Name may be "".
func (e *Engine) Create(tb testing.TB, name, body string) (id string) {
	tb.Helper()
	id, err := e.create(name, body)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { e.Remove(tb, id) })
	return id
}

func (e *Engine) create(name, body string) (id string, err error) {
	ctx, cancel := callContext()
	defer cancel()
	path := "/containers/create"
	if name != "" {
		path += "?" + url.Values{"name": {name}}.Encode()
	}
	var made struct{ Id string }
	err = e.call(ctx, http.MethodPost, path, body, &made)
	return made.Id, err
}

// RunContainer is Create, then StartContainer.
func (e *Engine) RunContainer(tb testing.TB, name, body string) (id string) {
	tb.Helper()
	id = e.Create(tb, name, body)
	e.StartContainer(tb, id)
	return id
}

// StartContainer starts a created or stopped container, and waits until its program runs: an engine
// answers as soon as runc is released, and for some milliseconds the first process is still runc.
func (e *Engine) StartContainer(tb testing.TB, id string) {
	tb.Helper()
	e.must(tb, http.MethodPost, "/containers/"+id+"/start", "", nil)
	pid := e.State(tb, id).Pid
	Eventually(tb, 10*time.Second, "program in container "+id, func() bool {
		return !strings.HasPrefix(processName(pid), "runc:[")
	})
}

// processName returns comm of a process of the host, "" if it is gone.
func processName(pid int) string {
	comm, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	return strings.TrimSpace(string(comm))
}

// StopContainer stops a container, with SIGKILL after the given seconds.
func (e *Engine) StopContainer(tb testing.TB, id string, seconds int) {
	tb.Helper()
	e.must(tb, http.MethodPost, fmt.Sprintf("/containers/%s/stop?t=%d", id, seconds), "", nil)
}

// Remove removes a container, running or not. One that is gone already is no error.
func (e *Engine) Remove(tb testing.TB, id string) {
	tb.Helper()
	if err := e.remove(id); err != nil {
		tb.Error(err)
	}
}

func (e *Engine) remove(id string) error {
	if e.down.Load() {
		return nil // the engine removed it
	}
	ctx, cancel := callContext()
	defer cancel()
	status, answer, err := e.Raw(ctx, http.MethodDelete, "/containers/"+id+"?force=1&v=1", "")
	// 409: it is being removed (AutoRemove).
	if err == nil && status >= 400 && status != http.StatusNotFound &&
		status != http.StatusConflict {
		err = fmt.Errorf("%d: %s", status, answer)
	}
	if err != nil {
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	return nil
}

// State is part of the engine's description of a container.
type State struct {
	Status   string // "created", "running", "exited", …
	Running  bool
	Paused   bool
	Pid      int // on the host; 0 when it does not run
	ExitCode int
	Error    string
}

// State returns a container's state.
func (e *Engine) State(tb testing.TB, id string) State {
	tb.Helper()
	var c struct{ State State }
	e.Inspect(tb, id, &c)
	return c.State
}

// Inspect decodes the engine's JSON about a container into out.
func (e *Engine) Inspect(tb testing.TB, id string, out any) {
	tb.Helper()
	e.must(tb, http.MethodGet, "/containers/"+id+"/json", "", out)
}

// WaitExit waits for a container's end and returns its exit code.
func (e *Engine) WaitExit(tb testing.TB, id string) int {
	tb.Helper()
	var end struct{ StatusCode int }
	e.must(tb, http.MethodPost, "/containers/"+id+"/wait", "", &end)
	return end.StatusCode
}

// ExecOptions holds the settings of an exec.
type ExecOptions struct {
	Privileged bool
	User       string
	Cmd        []string
}

// Exec runs a command in a container, waits for it, and returns what it wrote to stdout and stderr
// together, and its exit code.
func (e *Engine) Exec(tb testing.TB, id string, o ExecOptions) (output string, code int) {
	tb.Helper()
	exec := e.createExec(tb, id, o, true)
	ctx, cancel := callContext()
	defer cancel()
	status, answer, err := e.Raw(ctx, http.MethodPost, "/exec/"+exec+"/start",
		`{"Detach":false,"Tty":true}`)
	if err != nil || status >= 400 {
		tb.Fatalf("exec %v in %s: %d %s %v", o.Cmd, id, status, answer, err)
	}
	var end struct{ ExitCode int }
	e.must(tb, http.MethodGet, "/exec/"+exec+"/json", "", &end)
	return string(answer), end.ExitCode
}

// ExecDetached starts a command in a container, and returns its pid on the host once the engine
// reports it.
func (e *Engine) ExecDetached(tb testing.TB, id string, o ExecOptions) (pid int) {
	tb.Helper()
	exec := e.createExec(tb, id, o, false)
	e.must(tb, http.MethodPost, "/exec/"+exec+"/start", `{"Detach":true}`, nil)
	Eventually(tb, 10*time.Second, "pid of an exec", func() bool {
		var state struct{ Pid int }
		e.must(tb, http.MethodGet, "/exec/"+exec+"/json", "", &state)
		pid = state.Pid
		return pid > 0
	})
	return pid
}

func (e *Engine) createExec(tb testing.TB, id string, o ExecOptions, attach bool) string {
	tb.Helper()
	// A terminal merges stdout and stderr into one plain stream.
	body, err := json.Marshal(map[string]any{
		"Cmd": o.Cmd, "User": o.User, "Privileged": o.Privileged,
		"AttachStdout": attach, "AttachStderr": attach, "Tty": attach,
	})
	if err != nil {
		tb.Fatal(err)
	}
	var made struct{ Id string }
	e.must(tb, http.MethodPost, "/containers/"+id+"/exec", string(body), &made)
	return made.Id
}

// Eventually polls until ok returns true, and fails the test if it never does.
func Eventually(tb testing.TB, within time.Duration, what string, ok func() bool) {
	tb.Helper()
	testenv.Eventually(tb, within, what, ok)
}
