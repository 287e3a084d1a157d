package e2e_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/frame"
)

// nodeStage is a host with a real engine, whose containers are changed by requests.
type nodeStage struct {
	stage
	p    program
	next int
}

func newNodeStage(t *testing.T) *nodeStage {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	s := &nodeStage{stage: stage{t, e, filepath.Join(t.TempDir(), "store")}}
	s.p = program{}.with(append(e.Env(), "DROPCAP_STORE="+s.folder)...)
	return s
}

func (s *nodeStage) request() string {
	s.next++
	return requestID(s.next)
}

func (s *nodeStage) start(name string) string {
	return s.docker("run", "-d", "--name", name, "--stop-timeout", "1", "app:1")
}

// plan plans a container and returns the word that names the plan for apply.
func (s *nodeStage) plan(name string) string {
	s.t.Helper()
	r := s.p.node(s.t, "plan", "--request="+s.request(), "--container="+name)
	var p dropcap.Plan
	if err := json.Unmarshal(r.Document, &p); err != nil || r.Status != 3 {
		s.t.Fatalf("%v: %+v %+v", err, r, r.Error)
	}
	return fmt.Sprintf("%s:%x", p.ID, sha256.Sum256(r.Document))
}

func (s *nodeStage) is(name, want string) {
	s.t.Helper()
	if got := s.docker("inspect", "--format", "{{.Id}} {{.State.Running}}", name); got != want+
		" true" {
		s.t.Errorf("%s is %s, want %s", name, got, want)
	}
}

func changesOf(t *testing.T, r dropcap.Receipt) []dropcap.Change {
	t.Helper()
	var d dropcap.Changes
	if err := json.Unmarshal(r.Document, &d); err != nil {
		t.Fatalf("%v: %+v %+v", err, r, r.Error)
	}
	return d.Changes
}

func TestAPlanThatTheHostKeptIsAppliedAndBackedOutByItsRequests(t *testing.T) {
	s := newNodeStage(t)
	old := s.start("web")
	plan := s.plan("web")
	forged := plan[:len(plan)-1] + string("01"[plan[len(plan)-1]&1^1])
	if forged == plan {
		forged = plan[:len(plan)-1] + "f"
	}
	if r := s.p.node(t, "apply", "--request="+s.request(), "--plans="+forged); r.Error == nil ||
		r.Error.Code != dropcap.CodeNoPlan {
		t.Errorf("a digest that is not the plan's: %+v", r)
	}
	s.is("web", old)
	id := s.request()
	args := []string{"apply", "--request=" + id, "--plans=" + forged + "," + plan, "--soak=200ms",
		"--deadline=100"}
	r := s.p.node(t, args...)
	if list := changesOf(t, r); r.Status != 0 || len(list) != 1 ||
		list[0].State != dropcap.Applied || r.Summary != "1 change: 1 applied" {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	if r.Plan != plan {
		t.Errorf("it applied %q, and says %q", plan, r.Plan)
	}
	if again := s.p.node(t, args...); again.Started != r.Started ||
		string(again.Document) != string(r.Document) {
		t.Errorf("delivered again: %+v", again)
	}
	r = s.p.node(t, "backout", "--request="+s.request(), "--of="+requestID(999)+","+id)
	if list := changesOf(t, r); r.Status != 0 || len(list) != 1 ||
		list[0].State != dropcap.BackedOut {
		t.Errorf("%+v %+v", r, r.Error)
	}
	s.is("web", old)
	if r := s.p.node(t, "backout", "--request="+s.request(), "--of="+id); r.Status != 0 ||
		r.Summary != "nothing to back out" {
		t.Errorf("%+v", r)
	}
	if r := s.p.node(t, "history", "--request="+
		s.request()); r.Summary != "1 change: 1 backed-out" {
		t.Errorf("%+v", r)
	}
}

// begin starts an apply in a process group of its own, as the agent does, and waits until the
// receipt says that it is running and the new container runs.
func (s *nodeStage) begin(id string, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := s.p.command(s.t, append([]string{"node", "apply", "--request=" + id, "--deadline=600"},
		args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	dockertest.Eventually(s.t, time.Minute, "the new container", func() bool {
		return s.docker("ps", "-a", "-q", "--filter", "name=-dropcap-") != "" &&
			s.docker("ps", "-q", "--filter", "name=^web$") != ""
	})
	return cmd
}

// workers are the processes of a request: the one that does it.
func (s *nodeStage) workers(id string) []string {
	out, _ := exec.Command("pgrep", "-f", "node work .*"+id).Output()
	return strings.Fields(string(out))
}

// The agent kills a command's process group when it takes too long, and the work continues.
func TestTheWorkGoesOnWhenTheAgentKillsTheCommand(t *testing.T) {
	s := newNodeStage(t)
	old := s.start("web")
	plan, id := s.plan("web"), s.request()
	cmd := s.begin(id, "--plans="+plan, "--soak=4s")
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if r := s.p.node(t, "receipt", "--of="+id); r.State != dropcap.ReceiptRunning {
		t.Errorf("just after: %s", r.State)
	}
	r := s.p.node(t, "apply", "--request="+id, "--plans="+plan, "--soak=4s", "--deadline=100")
	if list := changesOf(t, r); r.State != dropcap.ReceiptDone || r.Status != 0 || len(list) != 1 ||
		list[0].State != dropcap.Applied {
		t.Errorf("%+v %+v", r, r.Error)
	}
	if now := s.docker("inspect", "--format", "{{.Id}}", "web"); now == old {
		t.Error("nothing was changed")
	}
}

// A backout that comes during the apply waits for it, and one that comes before it prevents it.
func TestABackoutTakesBackWhatGoesOnOrHasNotArrived(t *testing.T) {
	s := newNodeStage(t)
	old := s.start("web")
	plan, id := s.plan("web"), s.request()
	s.begin(id, "--plans="+plan, "--soak=3s")
	r := s.p.node(t, "backout", "--request="+s.request(), "--of="+id, "--deadline=100")
	if list := changesOf(t, r); r.State != dropcap.ReceiptDone || r.Status != 0 || len(list) != 1 ||
		list[0].State != dropcap.BackedOut {
		t.Errorf("amid: %+v %+v", r, r.Error)
	}
	s.is("web", old)
	plan, id = s.plan("web"), s.request()
	if r := s.p.node(t, "backout", "--request="+s.request(), "--of="+id); r.Status != 0 ||
		r.Summary != "nothing to back out" {
		t.Errorf("before: %+v %+v", r, r.Error)
	}
	if r := s.p.node(t, "apply", "--request="+id, "--plans="+plan); r.Status != 1 ||
		r.Error == nil || !strings.Contains(r.Error.Message, "taken back before it arrived") {
		t.Errorf("late: %+v %+v", r, r.Error)
	}
	s.is("web", old)
}

// An agent that asks the command to end learns that the work continues.
func TestOneWhoWaitsForARequestIsToldThatItGoesOn(t *testing.T) {
	s := newNodeStage(t)
	s.start("web")
	plan, id := s.plan("web"), s.request()
	cmd := s.p.command(t, "node", "apply", "--request="+id, "--plans="+plan, "--soak=3s",
		"--deadline=600")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dockertest.Eventually(t, time.Minute, "the work", func() bool {
		return s.p.node(t, "receipt", "--of="+id).State == dropcap.ReceiptRunning
	})
	_ = cmd.Process.Signal(syscall.SIGTERM)
	said, _ := io.ReadAll(out)
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != dropcap.ExitInterrupt || !strings.Contains(string(said),
		"request "+id+" goes on") || strings.Contains(string(said), "nothing was changed") {
		t.Errorf("%s: %s", cmd.ProcessState, said)
	}
	if r := s.p.node(t, "receipt", "--of="+id, "--deadline=100"); r.State != dropcap.ReceiptDone ||
		r.Status != 0 {
		t.Errorf("%+v %+v", r, r.Error)
	}
}

func kill(t *testing.T, pids ...string) {
	t.Helper()
	if len(pids) == 0 {
		t.Fatal("nobody works")
	}
	for _, pid := range pids {
		var n int
		if _, err := fmt.Sscan(pid, &n); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(n, syscall.SIGKILL)
	}
}

// If all processes of a request die, whoever asks is told, whoever may change containers has it
// recovered, and it is never done again.
func TestADeadRequestIsRecoveredByWhoMayChangeAndNotDoneAgain(t *testing.T) {
	s := newNodeStage(t)
	s.p = s.p.with("DROPCAP_WATCH=off") // it would be ended at once
	s.start("web")
	plan, id := s.plan("web"), s.request()
	cmd := s.begin(id, "--plans="+plan, "--soak=10m")
	kill(t, s.workers(id)...)
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	s.onlyLooks(id)
	r := s.p.node(t, "recover", "--of="+id, "--deadline=100")
	list := changesOf(t, r)
	if r.State != dropcap.ReceiptInterrupted || len(list) != 1 || !list[0].State.Over() ||
		r.Error == nil || r.Error.Code != dropcap.CodeInterrupt {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	if want := map[dropcap.ChangeState]int{dropcap.Applied: 7,
		dropcap.RolledBack: 4}[list[0].State]; r.Status != want {
		t.Errorf("%s: status %d, want %d", list[0].State, r.Status, want)
	}
	before := s.docker("inspect", "--format", "{{.Id}}", "web")
	if again := s.p.node(t, "apply", "--request="+id, "--plans="+plan,
		"--soak=10m"); again.State != dropcap.ReceiptInterrupted || again.Ended != r.Ended {
		t.Errorf("again: %+v", again)
	}
	s.is("web", before)
	if r := s.p.node(t, "backout", "--request="+s.request(), "--of="+id); r.Status != 0 ||
		len(changesOf(t, r)) > 1 {
		t.Errorf("%+v %+v", r, r.Error)
	}
}

// onlyLooks makes every request that the look document allows about a dead request: none changes
// the containers or the journal.
func (s *nodeStage) onlyLooks(id string) {
	s.t.Helper()
	state := func() string {
		return s.docker("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}") + s.p.run(s.t,
			"history", "--format", "json").out
	}
	before := state()
	for range 2 {
		r := s.p.node(s.t, "receipt", "--of="+id, "--deadline=100")
		if r.State != dropcap.ReceiptRunning || !r.Recovery ||
			r.Summary != "interrupted; waits for a recovery" {
			s.t.Errorf("a look: %+v", r)
		}
	}
	for _, verb := range []string{"audit", "plan", "history", "evidence"} {
		// under the name of the request
		s.p.run(s.t, "node", verb, "--request="+id).wantError(s.t, dropcap.ExitError,
			"it was to apply")
	}
	for _, verb := range []string{"audit", "plan", "history", "evidence"} {
		s.p.node(s.t, verb, "--request="+s.request())
	}
	if after := state(); after != before {
		s.t.Errorf("a look changed\n%s\nto\n%s", before, after)
	}
}

// The command that waits for a request has it ended when the process that does it dies.
func TestWhoWaitsHasARequestEndedWhoseProcessDies(t *testing.T) {
	s := newNodeStage(t)
	s.p = s.p.with("DROPCAP_WATCH=off") // so that nobody else ends it
	s.start("web")
	plan, id := s.plan("web"), s.request()
	s.begin(id, "--plans="+plan, "--soak=10m")
	kill(t, s.workers(id)...)
	var r dropcap.Receipt
	dockertest.Eventually(t, time.Minute, "the end of the request", func() bool {
		r = s.p.node(t, "receipt", "--of="+id)
		return r.State.Over()
	})
	list := changesOf(t, r)
	if r.State != dropcap.ReceiptInterrupted || len(list) != 1 || !list[0].State.Over() {
		t.Errorf("%+v %+v", r, r.Error)
	}
	whole := s.p.run(t, "node", "receipt", "--of="+id, "--whole")
	if _, err := frame.Find(whole.out); err != nil {
		t.Error(err)
	}
}
