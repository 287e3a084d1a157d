package change_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// rig is one container on a stage, with marks in its volume and its layer, which must survive
// everything, and a store of its own.
type rig struct {
	*stage
	name, policy string
	old          string // id
}

// operation is what is done to the container while something else goes wrong.
type operation struct {
	name    string
	args    []string
	applied bool // the container is already changed
	status  int  // the exit status if nothing goes wrong
}

// quick leaves out what takes time and does not matter here.
var quick = []string{"--yes", "--soak", "0s", "--no-watch", "--call-timeout", "5s"}

var (
	applies   = operation{name: "apply", args: append([]string{"apply"}, quick...)}
	rollsBack = operation{name: "rollback",
		args:   append([]string{"apply", "--probe", "false", "--timeout", "500ms"}, quick...),
		status: dropcap.ExitRolledBack}
	backsOut = operation{name: "backout", args: []string{"backout", "--yes", "--call-timeout",
		"5s"}, applied: true}

	operations = []operation{applies, rollsBack, backsOut}
)

// faulty is dropcap with the switch for faults.
var faulty = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "dropcap-test-binaries")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	build := exec.Command("go", "build", "-tags", "faults", "-o", filepath.Join(fresh, "out"),
		"dropcap/cmd/dropcap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, text)
	}
	out := filepath.Join(dir, "dropcap-faults")
	return out, os.Rename(filepath.Join(fresh, "out"), out)
})

func crashStage(t *testing.T, kind dockertest.Kind, opts ...dockertest.Option) *stage {
	t.Helper()
	testenv.Need(t, kind.Needs()...)
	program, err := faulty()
	if err != nil {
		t.Fatalf("cannot build dropcap with faults: %v", err)
	}
	s := newStage(t, kind, opts...)
	s.program = program
	return s
}

// rig creates the container.
func (s *stage) rig(t *testing.T, name, policy string) *rig {
	t.Helper()
	own := *s
	own.store = filepath.Join(t.TempDir(), "store")
	// Other tests use the same engine at the same time.
	own.env = append(slices.Clone(s.env), "DROPCAP_FAULT_LOCKS="+filepath.Join(t.TempDir(),
		"locks"))
	r := &rig{stage: &own, name: name, policy: policy}
	r.old = s.shell(t, fmt.Sprintf(
		`docker run -d --name %[1]s --restart %[2]s -v %[1]s:/shared --env SHARED=/shared app:1
		docker exec %[1]s sh -c 'echo volume >/shared/mark; echo layer >/tmp/mark; echo data >/srv/mark' >&2`, name, policy))
	t.Cleanup(func() {
		s.shell(t, fmt.Sprintf(
			`c=$(docker ps -aq --filter name='^/?%[1]s(-dropcap-.*)?$'); [ -z "$c" ] || docker rm -f $c; docker volume rm -f %[1]s`, name))
	})
	return r
}

// ready brings the container to where the operation begins.
func (r *rig) ready(t *testing.T, op operation) {
	t.Helper()
	if op.applied {
		if e := r.do(t, applies, ""); e.status != dropcap.ExitOK {
			t.Fatal(e)
		}
	}
}

func (r *rig) start(t *testing.T, op operation, env ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := r.command(append(slices.Clone(op.args), r.name)...)
	cmd.Env = append(slices.Clone(r.env), env...)
	// one that has stopped itself would be left behind
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &said
}

// do runs the operation to its end, with a fault ("before:stop-old=kill") or without.
func (r *rig) do(t *testing.T, op operation, fault string, env ...string) ended {
	t.Helper()
	cmd, said := r.start(t, op, append(env, "DROPCAP_FAULT="+fault)...)
	return r.end(t, cmd, said, op.name+" "+fault)
}

func (r *rig) end(t *testing.T, cmd *exec.Cmd, said *bytes.Buffer, what string) ended {
	t.Helper()
	timer := time.AfterFunc(2*endsWithin, func() { cmd.Process.Kill() })
	cmd.Wait()
	if !timer.Stop() {
		t.Errorf("%s does not end", what)
	}
	return ended{args: []string{what}, status: cmd.ProcessState.ExitCode(), err: said.String()}
}

// stopped runs the operation until it has stopped itself at a fault "…=stop".
func (r *rig) stopped(t *testing.T, op operation, where string,
	env ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd, said := r.start(t, op, append(env, "DROPCAP_FAULT="+where+"=stop")...)
	state := ""
	testenv.Within(endsWithin, func() bool {
		state = processState(cmd.Process.Pid)
		return state == "T" || state == "Z"
	})
	if state != "T" {
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("%s does not come to %s: %s", op.name, where, said)
	}
	return cmd, said
}

func processState(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) == 0 {
		return "Z"
	}
	return fields[0]
}

func goOn(cmd *exec.Cmd) { cmd.Process.Signal(syscall.SIGCONT) }

// recover does what a person, or the unit at boot, does after a crash.
func (r *rig) recover(t *testing.T) ended {
	t.Helper()
	e := r.dropcap(t, "recover", "--call-timeout", "5s")
	if e.status != dropcap.ExitOK {
		t.Errorf("%v", e)
	}
	return e
}

// points lists the effects of an operation in their order, as reported by the operation itself, so
// that none is forgotten.
func (s *stage) points(t *testing.T, op operation) []string {
	t.Helper()
	r := s.rig(t, "points-"+op.name, "always")
	r.ready(t, op)
	log := filepath.Join(t.TempDir(), "effects")
	if e := r.do(t, op, "", "DROPCAP_FAULT_LOG="+log); e.status != op.status {
		t.Fatalf("%v, want status %d", e, op.status)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range strings.Fields(string(text)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// seen is the engine's description of a container.
type seen struct {
	ID, Name string
	State    struct {
		Status  string
		Running bool
	}
	HostConfig struct {
		CapDrop       []string
		RestartPolicy struct{ Name string }
	}
}

func (s seen) policy() string {
	if s.HostConfig.RestartPolicy.Name == "" {
		return "no"
	}
	return s.HostConfig.RestartPolicy.Name
}

// whole checks what must be true when everything is over, whatever happened before.
func (r *rig) whole(t *testing.T) {
	t.Helper()
	history := r.history(t)
	last := dropcap.Change{State: dropcap.RolledBack}
	if len(history) > 0 {
		last = history[0]
	}
	retained := 0
	for _, c := range history {
		if c.Retained() != "" {
			retained++
		}
	}
	owner := r.owner(t, last, retained)
	switch {
	case last.State == dropcap.Applied && owner.ID == last.After && last.Before == r.old:
	case (last.State == dropcap.RolledBack || last.State == dropcap.BackedOut) && owner.ID == r.old:
	default:
		t.Errorf("the store says %s, and the name belongs to %.12s (old %.12s, new %.12s): %v",
			last.State, owner.ID, r.old, last.After, last.Timeline)
	}
	if owner.policy() != r.policy || owner.Name != "/"+r.name {
		t.Errorf("it is called %s and has restart policy %s, want %s", owner.Name, owner.policy(),
			r.policy)
	}
	r.marked(t)
}

// owner returns the one container that runs, under the name; all others of it must be at rest, and
// stay so.
func (r *rig) owner(t *testing.T, last dropcap.Change, retained int) (owner seen) {
	t.Helper()
	list := r.list(t)
	for _, c := range list {
		switch {
		case c.Name == "/"+r.name:
			owner = c
		case c.State.Running || c.policy() != "no":
			t.Errorf("%s is %s, with restart policy %s", c.Name, c.State.Status, c.policy())
		}
	}
	if !owner.State.Running {
		t.Errorf("%q is %q, of %d containers; history: %s, %v", owner.Name, owner.State.Status,
			len(list), last.State, last.Timeline)
	}
	if len(list) != 1+retained {
		t.Errorf("there are %d containers, want it and %d retained ones", len(list), retained)
	}
	return owner
}

func (r *rig) list(t *testing.T) (list []seen) {
	t.Helper()
	ids := r.shell(t, fmt.Sprintf(`docker ps -aq --no-trunc --filter name='^/?%s(-dropcap-.*)?$'`,
		r.name))
	for _, id := range strings.Fields(ids) {
		var c seen
		r.Inspect(t, id, &c)
		list = append(list, c)
	}
	return list
}

// marked checks that no data was lost, and that old and new never ran at once: each run has written
// which it was, and whether it was alone.
func (r *rig) marked(t *testing.T) {
	t.Helper()
	if got := r.file(t, r.old, "/tmp/mark"); got != "layer\n" {
		t.Errorf("the old container's layer: %q", got)
	}
	for _, container := range []string{r.old, r.name} {
		if got := r.file(t, container, "/srv/mark"); got != "data\n" {
			t.Errorf("the data in the layer of %.12s: %q", container, got)
		}
	}
	if got := r.file(t, r.name, "/shared/mark"); got != "volume\n" {
		t.Errorf("the volume: %q", got)
	}
	if log := r.file(t, r.name, "/shared/log"); strings.Contains(log, "overlap") ||
		!strings.HasPrefix(log, "start") {
		t.Errorf("old and new ran at once: %s", log)
	}
}

// file reads a container's file through the engine's archive, running or not.
func (r *rig) file(t *testing.T, container, path string) string {
	t.Helper()
	status, answer, err := r.Raw(t.Context(), http.MethodGet, "/containers/"+container+
		"/archive?path="+path, "")
	if err != nil || status != http.StatusOK {
		t.Errorf("%s of %.12s: %v, %d %s", path, container, err, status, answer)
		return ""
	}
	in := tar.NewReader(bytes.NewReader(answer))
	if _, err := in.Next(); err != nil {
		t.Error(err)
		return ""
	}
	text, _ := io.ReadAll(in)
	return string(text)
}
