package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// service is a running `dropcap learn --service`, or harden's.
type service struct {
	cmd    *exec.Cmd
	store  string
	notify *net.UnixConn
	done   chan struct{}

	mu    sync.Mutex
	lines []string
}

// serve starts one that learns, and waits until it reports to the service manager that it is ready.
func serve(t *testing.T, host, store string, more ...string) *service {
	t.Helper()
	return serveBy(t, "learn", host, store, more...)
}

// serveBy starts the service of a command.
func serveBy(t *testing.T, command, host, store string, more ...string) *service {
	t.Helper()
	testenv.Need(t, testenv.Root, testenv.BTF)
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := program{env: []string{"DOCKER_HOST=" + host, "NOTIFY_SOCKET=" + socket}}
	s := &service{cmd: p.command(t, append([]string{command, "--service", "--store", store},
		more...)...), store: store,
		notify: conn, done: make(chan struct{})}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := s.cmd.StderrPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		for in := bufio.NewScanner(out); in.Scan(); {
			s.mu.Lock()
			s.lines = append(s.lines, in.Text())
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	s.told(t, "READY=1")
	return s
}

// told waits for a notification.
func (s *service) told(t *testing.T, what string) {
	t.Helper()
	b := make([]byte, 4096)
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); {
		_ = s.notify.SetReadDeadline(time.Now().Add(time.Second))
		n, _ := s.notify.Read(b)
		if bytes.Contains(b[:n], []byte(what)) {
			return
		}
		select {
		case <-s.done:
			t.Fatalf("it ended without %s:\n%s", what, s.log())
		default:
		}
	}
	t.Fatalf("no %s:\n%s", what, s.log())
}

func (s *service) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// says waits for a matching line.
func (s *service) says(t *testing.T, pattern string) {
	t.Helper()
	like := regexp.MustCompile(`(?m)` + pattern)
	if !testenv.Within(2*time.Minute, func() bool { return like.MatchString(s.log()) }) {
		t.Fatalf("no line like %s in\n%s", pattern, s.log())
	}
}

// end asks it to end, and waits for that.
func (s *service) end(t *testing.T) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.done
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("ended by SIGTERM: %v\n%s", err, s.log())
	}
}

// knows waits until the store has a line of evidence.
func (s *service) knows(t *testing.T, workload, pattern string) {
	t.Helper()
	var r result
	like := regexp.MustCompile(`(?m)` + pattern)
	if !testenv.Within(2*time.Minute, func() bool {
		r = program{}.run(t, "evidence", workload, "--store", s.store)
		return like.MatchString(r.out)
	}) {
		t.Fatalf("no %s in the evidence of %s:\n%s%s\n%s", pattern, workload, r.out, r.err, s.log())
	}
}

const chowns = `{"Image":"app:1","Cmd":["sh","-c","while true; do chown 1 /tmp; sleep 0.2; done"]}`

// A service lives through restarts of the engine, keeps the evidence of containers that have ended,
// and ends cleanly.
func TestServiceLivesThroughTheEngine(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	at := unusedAddress(t)
	s := serve(t, e.Host, filepath.Join(t.TempDir(), "store"), "--metrics", at)
	before := e.RunContainer(t, "before", chowns)
	s.knows(t, "before", `cap-add=CHOWN`)
	exports(t, at, `dropcap_learn_containers 1`, `dropcap_tracer_lost_checks_total 0`,
		`dropcap_workloads{confidence="low"} 1`)
	s.says(t, `^dropcap: docker:before: .* needs CHOWN so far; confidence low$`)
	if err := e.Restart(); err != nil {
		t.Fatal(err)
	}
	s.says(t, `connected to the engine again`)
	e.RunContainer(t, "after", chowns)
	e.StartContainer(t, before)
	s.knows(t, "before", `1 warm start seen`)
	s.end(t)
	s.knows(t, "after", `1 cold start seen`)
	s.knows(t, "before",
		`1 cold start seen, 1 warm start seen, 1 stop seen|1 cold start seen; 1 warm start seen; 1 stop seen`)
	if n := strings.Count(s.log(), "\n"); n > 20 {
		t.Errorf("%d lines in the log:\n%s", n, s.log())
	}
}

// A killed service leaves nothing in the kernel, and what it stored; the next one can start, but
// not a second one at the same time.
func TestServiceIsKilled(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	s := serve(t, e.Host, filepath.Join(t.TempDir(), "store"))
	e.RunContainer(t, "victim", chowns)
	s.knows(t, "victim", `cap-add=CHOWN`)
	r := program{env: []string{"DOCKER_HOST=" + e.Host}}.run(t, "learn", "--for", "1s", "--store",
		s.store)
	r.wantError(t, 1, "cannot learn: process "+strconv.Itoa(s.cmd.Process.Pid))
	programs := programsOf(t, s.cmd.Process.Pid)
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	for _, id := range programs {
		if !testenv.Within(30*time.Second, func() bool { return !loaded(id) }) {
			t.Errorf("program %d is still in the kernel", id)
		}
	}
	s.knows(t, "victim", `cap-add=CHOWN`)
	serve(t, e.Host, s.store).end(t)
}

// programsOf returns the ids of the eBPF programs that a process holds (proc_pid_fdinfo(5)).
func programsOf(t *testing.T, pid int) (ids []uint32) {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "prog_id:"); ok {
				n, _ := strconv.ParseUint(strings.TrimSpace(rest), 10, 32)
				ids = append(ids, uint32(n))
			}
		}
	}
	if len(ids) == 0 {
		t.Fatal("it holds no eBPF programs: this test tests nothing")
	}
	return ids
}

// loaded reports whether the kernel has a program with that id.
func loaded(id uint32) bool {
	attr := [16]uint32{id}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_GET_FD_BY_ID,
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno == 0 {
		unix.Close(int(fd))
	}
	return errno == 0
}

// A full disk does not end a service, nor lose what it observed meanwhile.
func TestServiceOutlivesAFullDisk(t *testing.T) {
	testenv.Need(t, testenv.Root)
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	disk := testenv.SmallDisk(t, "1m")
	s := serve(t, e.Host, filepath.Join(disk, "store"))
	ballast := filepath.Join(disk, "ballast")
	fill := func() { _ = os.WriteFile(ballast, make([]byte, 2<<20), 0o600) }
	fill()
	id := e.RunContainer(t, "patient", chowns)
	s.says(t, `^dropcap: warning: .*the disk is full`) // so it has seen something to keep
	e.Remove(t, id)
	_ = os.Remove(ballast)
	s.says(t, `evidence can be kept again`)
	s.knows(t, "patient", `cap-add=CHOWN`)
	s.end(t)

	// And a recording whose evidence cannot be stored at its end prints it all the same.
	fill()
	p := program{env: []string{"DOCKER_HOST=" + e.Host, "PATH=" + testenv.Cache() + "/base/bin:" +
		os.Getenv("PATH")}}
	r := p.run(t, "learn", "--store", s.store, "--", "docker", "run", "--name", "last", "app:1",
		"chown", "1", "/tmp")
	if r.status != 1 || !strings.Contains(r.out, "docker:last") ||
		!strings.Contains(r.out, "--cap-add=CHOWN") ||
		!strings.Contains(r.err, "the disk is full") {
		t.Errorf("status %d\n%s%s", r.status, r.out, r.err)
	}
}
