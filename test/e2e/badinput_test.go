package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// TestEngineThatMisbehavesIsOneSentence: whatever an engine answers, and at whichever step.
func TestEngineThatMisbehavesIsOneSentence(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 200_000)
	for name, tc := range map[string]struct {
		fault  fake.Fault
		status int
		says   string
	}{
		"hangs at once": {fake.Fault{Hang: true}, 6, "--timeout"},
		"hangs at the list": {fake.Fault{Path: "/containers/json", Hang: true}, 6,
			"within 300ms"},
		"hangs at info": {fake.Fault{Path: "/info", Hang: true}, 6, "within 300ms"},
		"hangs within an answer": {fake.Fault{Path: "/containers/json", Hang: true,
			Body: `[{"Id":`}, 6, "within 300ms"},
		"hangs at a container": {fake.Fault{Path: "/json", Hang: true}, 6, "within 300ms"},
		"is no HTTP": {fake.Fault{Raw: "SSH-2.0-OpenSSH_9.2\r\n"}, 1,
			"cannot read the engine's answer"},
		"hangs up": {fake.Fault{Path: "/containers/json", Raw: " "}, 1,
			"cannot read"},
		"garbage": {fake.Fault{Path: "/containers/json", Body: "\x00\xff\x1b[31m"},
			1, "cannot read"},
		"truncated": {fake.Fault{Path: "/containers/json", Body: `[{"Id":"12`}, 1,
			"cannot read"},
		"cut off by length": {fake.Fault{Path: "/containers/json",
			Raw: "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n[{"}, 1, "cannot read"},
		"deep": {fake.Fault{Path: "/containers/json", Body: deep}, 1,
			"cannot read"},
		"deep container": {fake.Fault{Path: "/json", Body: deep}, 1, "cannot read"},
		"another type": {fake.Fault{Path: "/containers/json", Body: `{"Id":5}`}, 1,
			"cannot read"},
		"ids that are none": {fake.Fault{Path: "/containers/json",
			Body: `[{"Id":"../../info\u001b[31m","Names":["/a"]}]`}, 1, "cannot"},
		"an id without end": {fake.Fault{Path: "/containers/json", Body: `[{"Id":"` +
			strings.Repeat("a", 65<<20) + `"}]`}, 1, "64 hexadecimal digits"},
		"a page": {fake.Fault{Status: 502,
			Body: "<html>\x1b]0;owned\x07 bad\n gateway"}, 1, "cannot get"},
		"a refusal":     {fake.Fault{Path: "/containers/json", Status: 403}, 6, "plugin"},
		"its own fault": {fake.Fault{Path: "/containers/json", Status: 500}, 1, "log"},
	} {
		t.Run(name, func(t *testing.T) {
			e := pair(t)
			e.Misbehave(tc.fault)
			timeout := "20s"
			if tc.fault.Hang {
				timeout = "300ms"
			}
			r := on(e).run(t, "audit", "--timeout", timeout)
			r.wantError(t, tc.status, tc.says)
			if r.out != "" || r.took > 15*time.Second {
				t.Errorf("stdout %.200q after %v", r.out, r.took)
			}
			if r.peak > 384<<10 {
				// the largest answer that is read, and the buffer from which it grew
				t.Errorf("peak memory %d KiB", r.peak)
			}
		})
	}
}

func TestWrongVersionsOfTheAPI(t *testing.T) {
	old := fake.Start(t, fake.Options{Version: "18.06.0", API: "1.38", MinAPI: "1.12"})
	on(old).run(t, "audit").wantError(t, 6, "1.38")
	newer := fake.Start(t, fake.Options{Version: "99.0.0", API: "1.99", MinAPI: "1.90"})
	on(newer).run(t, "audit").wantError(t, 6, "too old")
	fits := pair(t)
	on(fits).with("DOCKER_API_VERSION=1.41").run(t, "audit").want(t, 3)
	on(fits).with("DOCKER_API_VERSION=nonsense\x1b[1m").run(t, "audit").wantError(t, 2,
		"DOCKER_API_VERSION")
	on(fits).with("DOCKER_API_VERSION=1.99").run(t, "audit").wantError(t, 6, "too new")
}

// TestSlowEngineIsWaitedFor: a timeout is for one answer, not for all of them.
func TestSlowEngineIsWaitedFor(t *testing.T) {
	e := pair(t)
	e.Misbehave(fake.Fault{Delay: 250 * time.Millisecond})
	r := on(e).run(t, "audit", "--timeout", "2s")
	r.want(t, 3)
	if r.took < 500*time.Millisecond {
		t.Errorf("took %v: it was not slow", r.took)
	}
}

func TestPermissionDenied(t *testing.T) {
	testenv.Need(t, testenv.Root)
	e := pair(t)
	if err := os.Chmod(e.Socket, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(e.Socket), 0o711); err != nil {
		t.Fatal(err)
	}
	p := on(e)
	p.wrap = []string{publicCopy(t)}
	p.before = func(c *exec.Cmd) {
		// the copy replaces the binary that only root can reach
		c.Args = append(c.Args[:1], c.Args[2:]...)
		c.Dir = "/"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534,
			Gid: 65534}}
	}
	p.run(t, "audit").wantError(t, 6, "permission denied")
	p.run(t, "audit", "--format", "json").wantError(t, 6, "group docker")
}

// publicCopy copies the binary to where any user may run it.
func publicCopy(t *testing.T) string {
	dir, err := os.MkdirTemp("", "dropcap-public-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b, err := os.ReadFile(testenv.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "dropcap")
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnknownNameSuggestsTheNearest(t *testing.T) {
	e := pair(t)
	on(e).run(t, "audit", "wbe").wantError(t, 1, "did you mean web?")
	on(e).run(t, "audit", "web", "hadr").wantError(t, 1, "did you mean hard?")
	on(e).run(t, "explain", "wbe").wantError(t, 1, "did you mean web?")
	on(e).run(t, "audit", "\x1b[31m\u202e").wantError(t, 1, "docker ps")
	on(e).run(t, "audit", "../info").wantError(t, 1, "cannot find")
	on(e).run(t, "audit", "").wantError(t, 1, "cannot find")
	file := filepath.Join(t.TempDir(), "s.json")
	on(e).run(t, "audit", "--snapshot", file).want(t, 3)
	program{}.run(t, "audit", "--from", file, "wbe").wantError(t, 1, "did you mean web?")
}

// waits returns once a program has been idle for a while, and so is waiting, however slowly it got
// there.
func waits(t *testing.T, pid int) {
	t.Helper()
	last, since := uint64(0), time.Now()
	if !testenv.Within(time.Minute, func() bool {
		busy, used := false, uint64(0)
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, f := range tasks {
			text, _ := os.ReadFile(f)
			// proc_pid_stat(5), from the state on
			fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
			if len(fields) > 12 {
				user, _ := strconv.ParseUint(fields[11], 10, 64)
				busy, used = busy || fields[0] == "R", used+user
			}
		}
		if busy || used != last || len(tasks) < 3 { // less than that: the runtime is only starting
			last, since = used, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	}) {
		t.Fatal("it never waits")
	}
}

// TestInterruptIsOneSentence: during a request that hangs, and while waiting for a document that
// nobody writes.
func TestInterruptIsOneSentence(t *testing.T) {
	for name, args := range map[string][]string{
		"request": {"audit"}, "explain": {"explain", "web"}, "standard input": {"audit", "--from",
			"-"},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(name+" "+sig.String(), func(t *testing.T) {
				e := pair(t)
				e.Misbehave(fake.Fault{Path: "/json", Hang: true})
				cmd := on(e).command(t, args...)
				var out, errs bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &errs
				stdin, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				defer stdin.Close()
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				waits(t, cmd.Process.Pid)
				began := time.Now()
				cmd.Process.Signal(sig)
				cmd.Wait()
				if cmd.ProcessState.ExitCode() != 130 || !noHint.MatchString(errs.String()) ||
					out.Len() > 0 || time.Since(began) > 10*time.Second {
					t.Errorf("%v after %v, stderr %q, stdout %q", cmd.ProcessState,
						time.Since(began), errs.String(), out.String())
				}
			})
		}
	}
}

// TestClosedPipe: the status is the same as without the pipe, and nothing is printed.
func TestClosedPipe(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	for range 500 {
		e.Add(fake.Container{})
	}
	for _, format := range []string{"table", "json", "csv", "cis", "html", "{{.Name}}"} {
		cmd := on(e).command(t, "audit", "--format", format)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		io.ReadFull(pipe, make([]byte, 1))
		pipe.Close()
		cmd.Wait()
		if cmd.ProcessState.ExitCode() != 3 || errs.Len() > 0 {
			t.Errorf("%s: %v, %q", format, cmd.ProcessState, errs.String())
		}
	}
}

// TestBareEnvironment: no home, no streams to read from or write to.
func TestBareEnvironment(t *testing.T) {
	p := on(pair(t))
	p.before = func(c *exec.Cmd) { c.Env = p.env }
	p.run(t, "audit").want(t, 3)
	p.before = nil
	for _, redirect := range []string{`"$@" <&-`, `"$@" >&-`, `"$@" 2>&-`, `"$@" <&- >&- 2>&-`} {
		p.wrap = []string{"sh", "-c", redirect, "sh"}
		r := p.run(t, "audit")
		if want := 3; r.status != want && !strings.Contains(redirect, ">&-") ||
			r.status != 3 && r.status != 1 {
			t.Errorf("%s: status %d, %q", redirect, r.status, r.err)
		}
	}
}
