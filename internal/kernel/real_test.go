package kernel

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/testenv"
)

// The test's own program is the container's process: as "plain" it gives up MKNOD in every thread,
// as "threads" also NET_RAW in one, and as "nest" it starts another one in a user namespace within
// its own. As "unbound" it gives up the whole bounding set and nothing else.
func TestMain(m *testing.M) {
	if mode := os.Getenv("DROPCAP_KERNEL_TEST"); mode != "" {
		contain(mode)
	}
	os.Exit(m.Run())
}

// The main goroutine stays on the first thread, so that another thread gives up more.
func init() {
	if os.Getenv("DROPCAP_KERNEL_TEST") != "" {
		runtime.LockOSThread()
	}
}

func contain(mode string) {
	again, second := strings.CutPrefix(mode, "again-")
	if !second { // execve leaves the sets of the one thread that called it
		if mode == "unbound" {
			unbind()
		} else {
			giveUp(caps.Mknod)
		}
		_ = os.Setenv("DROPCAP_KERNEL_TEST", "again-"+mode)
		fmt.Println("failed:", unix.Exec("/proc/self/exe", os.Args, os.Environ()))
		os.Exit(1)
	}
	tid := os.Getpid()
	if again == "threads" {
		done := make(chan int)
		go func() {
			runtime.LockOSThread()
			giveUp(caps.NetRaw)
			done <- unix.Gettid()
			select {}
		}()
		tid = <-done
	}
	if again == "nest" {
		tid = nest()
	}
	fmt.Println("ready", tid)
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	os.Exit(0)
}

// giveUp drops a capability from this thread's bounding set.
func giveUp(c caps.Cap) {
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// sandbox is a container as far as the kernel knows: in every hierarchy a cgroup named by a random
// id.
type sandbox struct {
	t    testing.TB
	id   string
	dirs []string
}

const prefix = "dropcap-kernel-test-"

func newSandbox(t testing.TB) sandbox {
	testenv.Need(t, testenv.Root)
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	s := sandbox{t: t, id: hex.EncodeToString(raw)}
	for _, h := range local(t).trees {
		if h.root != "/" {
			continue
		}
		sweep(h.point)
		top := filepath.Join(h.point, prefix+strconv.Itoa(os.Getpid()))
		dir := filepath.Join(top, s.id)
		if os.MkdirAll(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() {
			clearCgroup(dir, 10*time.Second)
			_ = unix.Rmdir(top) // succeeds once the last container is gone
		})
		s.dirs = append(s.dirs, dir)
	}
	if len(s.dirs) == 0 {
		t.Fatal("no cgroup can be made on this host")
	}
	return s
}

func local(t testing.TB) *Reader {
	t.Helper()
	r, err := New("/")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sweep removes what a killed run left behind.
func sweep(point string) {
	old, _ := filepath.Glob(filepath.Join(point, prefix+"*"))
	for _, dir := range old {
		if pid, _ := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), prefix)); pid > 0 &&
			unix.Kill(pid, 0) == unix.ESRCH {
			clearCgroup(dir, 0)
		}
	}
}

// clearCgroup removes a tree of empty cgroups. It changes into the folders, since their path may be
// too long.
func clearCgroup(dir string, limit time.Duration) {
	testenv.Within(limit, func() bool { // meanwhile the kernel removes the processes
		if fd, err := openAt(cwd, dir, unix.O_RDONLY|unix.O_DIRECTORY); err == nil {
			clearBelow(fd)
		}
		err := unix.Rmdir(dir)
		return err == nil || err == unix.ENOENT
	})
}

func clearBelow(fd int) {
	f := os.NewFile(uintptr(fd), "cgroup")
	defer f.Close()
	entries, _ := f.ReadDir(-1)
	for _, e := range entries {
		if e.IsDir() {
			if child, err := openAt(fd, e.Name(), unix.O_RDONLY|unix.O_DIRECTORY); err == nil {
				clearBelow(child)
			}
			_ = unix.Unlinkat(fd, e.Name(), unix.AT_REMOVEDIR)
		}
	}
}

// start runs this program in the container and waits until it has given up its capabilities. The
// program ends with its stdin, and so with the test even if that is killed.
func (s sandbox) start(mode string) (pid, tid int) {
	s.t.Helper()
	return s.startIn(nil, mode)
}

// startIn is like start, with namespaces of its own.
func (s sandbox) startIn(attr *syscall.SysProcAttr, mode string) (pid, tid int) {
	s.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.SysProcAttr = attr
	cmd.Env = append(os.Environ(), "DROPCAP_KERNEL_TEST="+mode)
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s.enter(cmd.Process.Pid)
	if _, err := fmt.Fscanf(out, "ready %d\n", &tid); err != nil {
		s.t.Fatalf("the helper process did not become ready: %v", err)
	}
	return cmd.Process.Pid, tid
}

// enter moves a process into every cgroup of the container.
func (s sandbox) enter(pid int) {
	for _, dir := range s.dirs {
		s.put(dir, "cgroup.procs", pid)
	}
}

// put moves a process. cpuset refuses any process until it is set up, so that hierarchies differ in
// one more case.
func (s sandbox) put(dir, file string, pid int) {
	s.t.Helper()
	err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(pid)), 0)
	if err != nil && !strings.Contains(dir, "cpuset") {
		s.t.Error(err)
	}
}

func (s sandbox) look(c dropcap.Container) dropcap.Kernel {
	s.t.Helper()
	c.ID, c.State = s.id, "running"
	k, err := local(s.t).Look(s.t.Context(), c)
	if err != nil || !k.Visible {
		s.t.Fatalf("Look = %+v, %v; want it visible", k, err)
	}
	return k
}

func TestLookAtRealThreads(t *testing.T) {
	s := newSandbox(t)
	pid, tid := s.start("threads")
	k := s.look(dropcap.Container{PID: pid})
	whole := ownBounding(t) &^ caps.Of(caps.Mknod)
	want := fmt.Sprintf("init [%d] %q %x\ninit [%d] %q %x\n", pid, "exe", uint64(whole), tid, "exe",
		uint64(whole&^caps.Of(caps.NetRaw)))
	equal(t, brief(k), want)
	if *k.Bounding != whole || k.UserNS != "host" || k.NoNewPrivs {
		t.Errorf("bounding %s, user namespace %q, no_new_privs %v", k.Bounding.Mask(), k.UserNS,
			k.NoNewPrivs)
	}
}

func TestLookAtARealExec(t *testing.T) {
	s := newSandbox(t)
	first, _ := s.start("plain")
	named, _ := s.start("plain")
	other, _ := s.start("plain")
	k := s.look(dropcap.Container{PID: first,
		Execs: []dropcap.Exec{{PID: named, Privileged: true}}})
	mask := uint64(ownBounding(t) &^ caps.Of(caps.Mknod))
	equal(t, brief(k), fmt.Sprintf("init [%d] %q %x\nexec [%d] %q %x\nexec-privileged [%d] %q %x\n",
		first, "exe", mask, other, "exe", mask, named, "exe", mask))
}

func TestLookFollowsATreeDeeperThanAPathMayBe(t *testing.T) {
	s := newSandbox(t)
	pid, _ := s.start("plain")
	hidden, _ := s.start("plain")
	dir := s.deepen(s.dirs[len(s.dirs)-1], 20)
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, "cgroup.procs", unix.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = unix.Write(fd, []byte(strconv.Itoa(hidden)))
	unix.Close(fd)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range s.dirs[:len(s.dirs)-1] { // and leaves the others
		s.put(filepath.Dir(filepath.Dir(other)), "cgroup.procs", hidden)
	}
	s.dirs = s.dirs[len(s.dirs)-1:]
	pids, ok, err := local(t).
		members(cgroupSet{{"", "/" + prefix + strconv.Itoa(os.Getpid()) + "/" + s.id}})
	if err != nil || !ok || !pids[pid] || !pids[hidden] {
		t.Errorf("members = %v, %v, %v; want %d and %d", pids, ok, err, pid, hidden)
	}
}

// deepen creates a chain of cgroups and opens the last.
func (s sandbox) deepen(dir string, levels int) int {
	s.t.Helper()
	fd, err := openAt(cwd, dir, unix.O_RDONLY|unix.O_DIRECTORY)
	for range levels {
		if err == nil {
			err = unix.Mkdirat(fd, strings.Repeat("x", 250), 0o755)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		var next int
		next, err = openAt(fd, strings.Repeat("x", 250), unix.O_RDONLY|unix.O_DIRECTORY)
		unix.Close(fd)
		fd = next
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return fd
}

func TestLookReadsAThreadedCgroup(t *testing.T) {
	s := newSandbox(t)
	pid, tid := s.start("threads")
	v2 := s.v2()
	sub := filepath.Join(v2, "threaded")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(sub, "cgroup.type"), []byte("threaded"), 0); err != nil {
		t.Fatal(err)
	}
	s.put(sub, "cgroup.threads", tid)
	if _, err := os.ReadFile(filepath.Join(sub, "cgroup.procs")); err == nil {
		t.Fatal("cgroup.procs of a threaded cgroup can be read: this test tests nothing")
	}
	if k := s.look(dropcap.Container{PID: pid}); len(k.Processes) != 2 {
		t.Errorf("processes %v; want the process and its thread", brief(k))
	}
}

func (s sandbox) v2() string {
	for _, h := range local(s.t).trees {
		for _, d := range s.dirs {
			if h.v2() && strings.HasPrefix(d, h.point+"/") {
				return d
			}
		}
	}
	testenv.Need(s.t, testenv.Requirement{
		Name: "cgroup v2", Missing: func() string {
			return "no cgroup v2 tree is mounted"
		}, Remedy: "mount -t cgroup2 none /sys/fs/cgroup/unified",
	})
	return ""
}

func TestLookDoesNotFindAForeignID(t *testing.T) {
	s := newSandbox(t)
	pid, _ := s.start("plain")
	k, err := local(t).Look(t.Context(), dropcap.Container{ID: idA, State: "running", PID: pid})
	if err != nil || k.Visible || !strings.Contains(k.WhyNot, "is not in this container's cgroup") {
		t.Errorf("Look = %+v, %v", k, err)
	}
}

func TestEngineCapsBelievesNoStranger(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if set, pid, ok := local(t).EngineCaps(socket); ok {
		t.Errorf("EngineCaps = %s, %d of a process that is no engine", set, pid)
	}
	if got := peer(socket); got != os.Getpid() {
		t.Errorf("peer = %d; want this process, %d", got, os.Getpid())
	}
	if !local(t).listens(os.Getpid(), socket) {
		t.Error("listens = false for the process that does")
	}
}
