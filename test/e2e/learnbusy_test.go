package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// busy loads the machine with processes that do nothing but run, so that everybody waits for
// everybody.
func busy(t *testing.T, n int) {
	t.Helper()
	for range n {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
}

// recorder is a `dropcap learn -- COMMAND` whose command ends on request.
type recorder struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out strings.Builder
	err heard
}

func recording(t *testing.T, e *dockertest.Engine, folder string, args ...string) *recorder {
	t.Helper()
	testenv.Need(t, testenv.Root, testenv.BTF)
	r := &recorder{}
	args = append([]string{"learn", "--store", folder, "--format", "json"}, args...)
	r.cmd = exec.Command(testenv.Binary(t),
		append(args, "--", "sh", "-c", "echo watching; exec cat")...)
	r.cmd.Env = append(os.Environ(), e.Env()...)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.err
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	if !testenv.Within(time.Minute, func() bool {
		return strings.Contains(r.err.String(), "watching")
	}) {
		t.Fatalf("it does not begin: %s", r.err.String())
	}
	return r
}

// end ends the command and returns what was recorded, by workload.
func (r *recorder) end(t *testing.T, status int) map[string]dropcap.WorkloadEvidence {
	t.Helper()
	r.in.Close()
	_ = r.cmd.Wait()
	if got := r.cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("exit status %d, want %d: %s", got, status, r.err.String())
	}
	return evidenceIn(t, r.out.String())
}

func evidenceIn(t *testing.T, text string) map[string]dropcap.WorkloadEvidence {
	t.Helper()
	var doc dropcap.Evidence
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	by := map[string]dropcap.WorkloadEvidence{}
	for _, w := range doc.Workloads {
		by[strings.TrimPrefix(w.Workload, "docker:")] = w
	}
	return by
}

// On a machine where everything is late, each of sixty short lives in parallel is recorded
// correctly: a first start or another, its length, its end. All of it is in the store when the
// recording reports its end.
func TestSixtyShortLivesOnABusyMachine(t *testing.T) {
	const lives, ranBefore, madeMeanwhile = 60, 10, 20
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	// An engine this busy may report a start seconds late, so that the life seems shorter than it
	// was.
	body :=
		`{"Image":"app:1","Cmd":["sh","-c","chown 1 /tmp; sleep 6"],"HostConfig":{"NetworkMode":"none"}}`
	ids := make([]string, lives)
	side := func(from, to int, do func(i int)) {
		var all sync.WaitGroup
		for i := from; i < to; i++ {
			all.Go(func() { do(i) })
		}
		all.Wait()
	}
	create := func(i int) { ids[i] = e.Create(t, fmt.Sprintf("life%02d", i), body) }
	live := func(i int) {
		for _, what := range []string{"start", "wait"} {
			if status, answer, err := e.Raw(t.Context(), http.MethodPost, "/containers/"+ids[i]+"/"+
				what, ""); err != nil || status >= 400 {
				t.Errorf("life%02d %s: %d %s %v", i, what, status, answer, err)
			}
		}
	}
	side(0, lives-madeMeanwhile, create)
	side(0, ranBefore, live)

	folder := filepath.Join(t.TempDir(), "store")
	r := recording(t, e, folder)
	busy(t, 10)
	side(lives-madeMeanwhile, lives, create)
	side(0, lives, live)
	printed := r.end(t, 0)
	stored := evidenceIn(t, program{}.run(t, "evidence", "--format", "json", "--store", folder).out)
	for i := range lives {
		name := fmt.Sprintf("life%02d", i)
		for where, known := range map[string]map[string]dropcap.WorkloadEvidence{"printed": printed,
			"stored": stored} {
			w, ok := known[name]
			if !ok {
				t.Errorf("%s: there is nothing of %s", where, name)
				continue
			}
			cold, warm := 1, 0
			if i < ranBefore {
				cold, warm = 0, 1
			}
			s := w.Sources[0]
			if s.StartsCold != cold || s.StartsWarm != warm || s.Stops != 1 || s.Seconds < 2 ||
				w.Required != caps.Of(caps.Chown) {
				t.Errorf("%s: %s: %d cold and %d warm starts, %d stops, %d s, needs %s", where,
					name, s.StartsCold, s.StartsWarm, s.Stops, s.Seconds, w.Required.Short())
			}
			if s.FilesUnseen != "" {
				t.Errorf("%s: %s: its files: %s", where, name, s.FilesUnseen)
			}
		}
	}
	if said := r.err.String(); strings.Contains(said, "warning") {
		t.Errorf("it warns: %s", said)
	}
}
