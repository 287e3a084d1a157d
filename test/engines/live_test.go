package engines_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/audit"
	"dropcap/internal/dockertest"
	"dropcap/internal/policy"
	"dropcap/internal/snapshot"
	"dropcap/internal/testenv"
)

// One engine serves all of these, since it takes seconds to start. Docker 29 grants all that it has
// itself, so privileged containers and execs run even on hosts that lack a capability.
func TestLiveContainers(t *testing.T) {
	b := start(t, dockertest.Docker29)
	for _, c := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"a privileged exec must be found until it ends", privilegedExec},
		{"an ordinary exec must not be drift", ordinaryExec},
		{"what an exec starts must be known as the exec's", execChildren},
		{"what a privileged exec leaves behind must be found", execOrphan},
		{"the program must find a privileged exec", execByProgram},
		{"privileged and ALL must be what the engine has", privileged},
		{"a thread that holds more must be seen", threads},
		{"a program without a bounding set must hold what it has", unbound},
		{"what is given up must be judged, since it is got back", gaveUp},
		{"every state must be judged by what can be known in it", states},
		{"a restart in mid-look must not confuse", restarts},
		{"a cgroup named like another container must convince nobody", lookalike},
		{"a process of another container must convince nobody", otherContainersProcess},
		{"containers and execs that start must not be drift", storms},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, b) })
	}
}

// judge audits some containers, or all.
func (b *bench) judge(t *testing.T, names ...string) dropcap.Audit {
	t.Helper()
	a, err := b.audit(context.Background(), names...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (b *bench) audit(ctx context.Context, names ...string) (dropcap.Audit, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s, err := snapshot.Take(ctx, b.client, b.kernel, func() snapshot.Machine {
		return here(b.kernel, b.Socket)
	}, snapshot.Query{Names: names})
	if err != nil {
		return dropcap.Audit{}, err
	}
	return audit.Judge(s, audit.Options{Policy: policy.BuiltIn(), Now: time.Now()}), nil
}

// one audits one container.
func (b *bench) one(t *testing.T, id string) dropcap.Judged {
	t.Helper()
	return b.judge(t, id).Containers[0]
}

func finding(c dropcap.Judged, rule dropcap.Rule) *dropcap.Finding {
	i := slices.IndexFunc(c.Findings, func(f dropcap.Finding) bool { return f.Rule == rule })
	if i < 0 {
		return nil
	}
	return &c.Findings[i]
}

// clean checks that the container passes without a finding.
func clean(t *testing.T, c dropcap.Judged) {
	t.Helper()
	if c.Verdict != dropcap.Pass || len(c.Findings) > 0 {
		t.Errorf("%s is %s with %+v, want pass", c.Name, c.Verdict, c.Findings)
	}
}

// entry returns what was observed of a process.
func entry(t *testing.T, c dropcap.Judged, pid int) dropcap.Process {
	t.Helper()
	for _, p := range c.Kernel.Processes {
		if slices.Contains(p.PIDs, pid) {
			return p
		}
	}
	t.Fatalf("process %d was not seen among %+v", pid, c.Kernel.Processes)
	return dropcap.Process{}
}

// exec starts a program by docker exec and waits until it runs, under its own name.
func (b *bench) exec(t *testing.T, id string, privileged bool, cmd ...string) (pid int) {
	t.Helper()
	pid = b.ExecDetached(t, id, dockertest.ExecOptions{Privileged: privileged, Cmd: cmd})
	dockertest.Eventually(t, 10*time.Second, "program of an exec", func() bool {
		return comm(pid) == cmd[0]
	})
	t.Cleanup(func() { end(t, pid, cmd[0]) })
	return pid
}

func comm(pid int) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return strings.TrimSpace(string(b))
}

// end kills a process that a test started, if it is still the same one, and waits for its end.
func end(t *testing.T, pid int, name string) {
	t.Helper()
	if comm(pid) == name {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	dockertest.Eventually(t, 10*time.Second, "end of "+name, func() bool {
		return comm(pid) != name
	})
}

// program runs the real binary against the engine and returns its output and its exit status.
func (b *bench) program(t *testing.T, args ...string) (stdout []byte, status int) {
	t.Helper()
	cmd := exec.Command(testenv.Binary(t), args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+b.Host, "DOCKER_CONFIG="+t.TempDir(),
		"DOCKER_CONTEXT=", "DOCKER_API_VERSION=")
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return out, cmd.ProcessState.ExitCode()
}

func (b *bench) programAudit(t *testing.T, want int, args ...string) dropcap.Audit {
	t.Helper()
	out, status := b.program(t, append([]string{"audit", "--format", "json"}, args...)...)
	if status != want {
		t.Errorf("exit %d, want %d: %s", status, want, out)
	}
	var a dropcap.Audit
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return a
}

// built compiles a static program of testdata.
func built(t *testing.T, name string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-o", out, "./testdata/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, text)
	}
	return out
}
