package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// Each container chowns, and chroots, then sleeps: some twenty kinds of checks.
const chores = `busybox chown 1 f; busybox chown 0 f; busybox chmod 600 f; busybox chroot / /none; exec busybox sleep 86400`

// mostAlone is between the usual memory (20 to 23 MiB) and that with all of the program that its
// start has read (41 to 46).
const mostAlone = 32 << 10 // KiB

// Full mode has 1,000 containers that start within a minute, as promised; the short form has as
// many as a busy host can run.
func TestServiceAtScale(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.BTF, testenv.Base)
	n, idle := 60, 5*time.Second
	if os.Getenv("DROPCAP_TEST_FULL") == "1" {
		n, idle = 1000, 2*time.Minute
	}
	e := fake.Start(t, fake.Options{Kernel: release(t)})
	s := serve(t, e.Host, filepath.Join(t.TempDir(), "store"))
	alone := resident(t, s, "VmRSS")
	h := herd{t: t, e: e, tree: herdTree(t), work: t.TempDir()}
	h.clear()
	t.Cleanup(h.clear)
	began := time.Now()
	for i := range n {
		h.start(i)
		if n == 1000 {
			// Time is under test: they come within a minute, one after the other.
			time.Sleep(time.Until(began.Add(time.Duration(i) * 50 * time.Millisecond)))
		}
	}
	started := time.Since(began)
	if n == 1000 && started > time.Minute {
		t.Logf("starting took %v on this host, and a minute was meant", started)
	}
	h.allKnown(s, n)
	known := time.Since(began)
	// Time is under test: the use of a processor over a while, after the last of the starts' work.
	time.Sleep(idle / 4)
	before := cpu(t, s)
	// Time is under test, as said.
	time.Sleep(idle)
	used := (cpu(t, s) - before).Seconds() / idle.Seconds()
	now, peak := resident(t, s, "VmRSS"), resident(t, s, "VmHWM")
	t.Logf("%d containers started in %v, all known after %v; resident %d MiB (%d alone, %d at "+
		"most); idle %.2f %% of a processor",
		n, started.Round(time.Second), known.Round(time.Second), now>>10, alone>>10, peak>>10,
		100*used)
	if alone > mostAlone {
		t.Errorf("%d KiB resident with nothing to watch: it keeps what only its start has used",
			alone)
	}
	if peak > 64<<10 {
		t.Errorf("%d KiB resident, and 64 MiB are the promise", peak)
	}
	if n == 1000 && used > 0.005 {
		t.Errorf("idle it uses %.2f %% of a processor, and 0.5 %% is the promise", 100*used)
	}
	h.end()
	s.end(t)
	if chown, _ := h.known(s); chown != n {
		t.Errorf("%d of %d are known at the end", chown, n)
	}
}

// allKnown waits until there is evidence of what all of them need. Each question is a process of
// its own, so asking at once again would add much to the service's load: the next one depends on
// the answer.
func (h *herd) allKnown(s *service, n int) {
	h.t.Helper()
	said, chown, all := -1, 0, 0
	if !testenv.Within(5*time.Minute, func() bool {
		now := strings.Count(s.log(), " needs ")
		if now == said {
			return false
		}
		said = now
		chown, all = h.known(s)
		return chown == n
	}) {
		one := program{}.run(h.t, "evidence", "many-1", "--store", s.store)
		h.t.Fatalf("of %d containers %d are known, %d with what they need\n%.100s\n%s", n, all,
			chown, s.log(), one.out)
	}
}

func release(t *testing.T) string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	return unix.ByteSliceToString(u.Release[:])
}

// herd is many processes in cgroups and namespaces of their own, and an engine that reports them as
// containers.
type herd struct {
	t    *testing.T
	e    *fake.Engine
	tree string
	work string
	ids  []string
	cmds []*exec.Cmd
}

func herdTree(t *testing.T) string {
	text, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[2] == "cgroup2" {
			return filepath.Join(f[1], "dropcap-e2e-test")
		}
	}
	t.Fatal("no cgroup version 2 tree is mounted")
	return ""
}

func (h *herd) start(i int) {
	h.t.Helper()
	sum := sha256.Sum256([]byte(strconv.Itoa(os.Getpid()) + " " + strconv.Itoa(i)))
	id := hex.EncodeToString(sum[:])
	dir := filepath.Join(h.tree, id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.t.Fatal(err)
	}
	fd, err := os.Open(dir)
	if err != nil {
		h.t.Fatal(err)
	}
	defer fd.Close()
	busybox := filepath.Join(testenv.Cache(), "base/bin/busybox")
	cmd := exec.Command(busybox, "sh", "-c", chores)
	if err := os.WriteFile(filepath.Join(h.work, "f"), nil, 0o600); err != nil {
		h.t.Fatal(err)
	}
	cmd.Dir, cmd.Env = h.work, []string{"PATH=" + filepath.Dir(busybox)}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		UseCgroupFD: true, CgroupFD: int(fd.Fd()), Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig: syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.cmds, h.ids = append(h.cmds, cmd), append(h.ids, id)
	h.e.Add(fake.Container{ID: id, Name: fmt.Sprintf("many-%d", i),
		Image: fmt.Sprintf("image:%d", i%50), State: "running", PID: cmd.Process.Pid})
	h.e.Emit(id, "start", nil)
}

// end ends them all at once.
func (h *herd) end() {
	for i, c := range h.cmds {
		_ = c.Process.Kill()
		_ = c.Wait()
		h.e.Emit(h.ids[i], "die", map[string]string{"exitCode": "137"})
	}
	h.cmds = nil
}

// clear removes what is left, also by a run that was killed.
func (h *herd) clear() {
	h.end()
	testenv.Within(20*time.Second, func() bool {
		left, _ := filepath.Glob(h.tree + "/*/")
		for _, dir := range left {
			_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
			_ = os.Remove(dir)
		}
		_ = os.Remove(h.tree)
		return len(left) == 0
	})
}

// known counts the workloads with evidence, and those whose evidence has what all of them need.
func (h *herd) known(s *service) (needing, all int) {
	r := program{}.run(h.t, "evidence", "--format", "json", "--store", s.store)
	var doc struct{ Workloads []struct{ Required []string } }
	if r.status != 0 || json.NewDecoder(bytes.NewBufferString(r.out)).Decode(&doc) != nil {
		h.t.Fatalf("status %d: %s", r.status, r.err)
	}
	for _, w := range doc.Workloads {
		if strings.Contains(strings.Join(w.Required, " "), "CAP_CHOWN") &&
			strings.Contains(strings.Join(w.Required, " "), "CAP_SYS_CHROOT") {
			needing++
		}
	}
	return needing, len(doc.Workloads)
}

// resident returns a line of the program's memory, in KiB.
func resident(t *testing.T, s *service, line string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	_, rest, ok := strings.Cut(string(text), "\n"+line+":")
	if err != nil || !ok {
		t.Fatalf("the service is gone: %v\n%s", err, s.log())
	}
	n, _ := strconv.Atoi(strings.Fields(rest)[0])
	return n
}

// cpu returns the processor time that the program has used.
func cpu(t *testing.T, s *service) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}
