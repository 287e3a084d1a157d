package kernel

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// apart starts sh in a network namespace of its own with these settings.
func apart(t *testing.T, script string) int {
	t.Helper()
	testenv.Need(t, testenv.Root)
	// It mounts a writable /proc: the host's may be read-only here.
	cmd := exec.Command("sh", "-c", "mount -t proc proc /proc && "+script+
		" && echo ready && exec cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Unshareflags: syscall.CLONE_NEWNS}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	answer := make([]byte, 6)
	if n, _ := out.Read(answer); string(answer[:n]) != "ready\n" {
		t.Fatalf("the helper said %q", answer[:n])
	}
	return cmd.Process.Pid
}

func TestNetContextIsThatOfTheProcess(t *testing.T) {
	pid := apart(t,
		`echo 80 >/proc/sys/net/ipv4/ip_unprivileged_port_start && echo "7 4294967294" >/proc/sys/net/ipv4/ping_group_range`)
	r := local(t)
	before, err := r.NetContext(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.NetContext(pid)
	if err != nil {
		t.Fatal(err)
	}
	if want := (NetContext{80, [2]uint32{7, 4294967294}, false}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !got.PingAllowed(3, 7) || got.PingAllowed(6) || got.PingAllowed() {
		t.Error("who may ping")
	}
	if before == got {
		t.Error("this process's own are the same")
	}
	text, _ := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if itoa(before.UnprivilegedPortStart) != strings.TrimSpace(string(text)) {
		t.Errorf("own port start %d, and the file says %q", before.UnprivilegedPortStart, text)
	}
}

// However often other namespaces are visited, every thread of this process stays where it was.
func TestNetContextLeavesNoThreadElsewhere(t *testing.T) {
	pid := apart(t, "true")
	r := local(t)
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for range 50 {
		go func() {
			_, err := r.NetContext(pid)
			done <- err
		}()
	}
	for range 50 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	dockertest.Eventually(t, 10e9, "end of the threads that were elsewhere", func() bool {
		tasks, _ := os.ReadDir("/proc/self/task")
		for _, task := range tasks {
			if ns, err := os.Readlink("/proc/self/task/" + task.Name() + "/ns/net"); err == nil &&
				ns != own {
				return false
			}
		}
		return true
	})
}

func TestNetContextOfNobody(t *testing.T) {
	if _, err := local(t).NetContext(unused(t)); !errors.Is(err, dropcap.ErrGone) {
		t.Errorf("got %v", err)
	}
}

// unused returns the number of a process that has ended.
func unused(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestNetSettings(t *testing.T) {
	for _, c := range []struct {
		ports, groups string // "-" means no file
		want          NetContext
		bad           bool
	}{
		{"0\n", "0\t2147483647\n", NetContext{0, [2]uint32{0, 2147483647}, false}, false},
		{"-", "-", NetContext{1024, [2]uint32{1, 0}, false}, false},
		{"x\n", "1\t0\n", NetContext{}, true},
		{"1024\n", "1\n", NetContext{}, true},
		{"1024\n", "-1 5\n", NetContext{}, true},
	} {
		proc := t.TempDir()
		dir := proc + "/sys/net/ipv4/"
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"ip_unprivileged_port_start": c.ports,
			"ping_group_range": c.groups} {
			if text == "-" {
				continue
			}
			if err := os.WriteFile(dir+name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := (&Reader{proc: proc}).netSettings(); got != c.want || (err != nil) != c.bad {
			t.Errorf("%q, %q: %+v, %v", c.ports, c.groups, got, err)
		}
	}
}

// Real containers: on the bridge network the engine allows low ports and ping, on the host's
// network the host's settings apply. The cgroup's number is its folder's.
func TestContextOfRealContainers(t *testing.T) {
	for _, kind := range []dockertest.Kind{dockertest.Docker20, dockertest.Docker29} {
		t.Run(string(kind), func(t *testing.T) {
			e := dockertest.Start(t, kind)
			if _, err := e.Import("box:1"); err != nil {
				t.Fatal(err)
			}
			r := local(t)
			bridge := e.RunContainer(t, "bridge", `{"Image":"box:1","Cmd":["sleep","1000"]}`)
			got, err := r.NetContext(e.State(t, bridge).Pid)
			if want := (NetContext{0, [2]uint32{0, 2147483647}, false}); err != nil || got != want {
				t.Errorf("bridge: %+v, %v; want %+v", got, err, want)
			}
			set := e.RunContainer(t, "set",
				`{"Image":"box:1","Cmd":["sleep","1000"],"HostConfig":{"Sysctls":{"net.ipv4.ip_unprivileged_port_start":"443"}}}`)
			if got, err := r.NetContext(e.State(t, set).Pid); err != nil ||
				got.UnprivilegedPortStart != 443 {
				t.Errorf("set: %+v, %v", got, err)
			}
			c := dropcap.Container{ID: bridge, State: "running", PID: e.State(t, bridge).Pid}
			first, err := r.CgroupID(c)
			if err != nil {
				t.Fatal(err)
			}
			second, err := r.CgroupID(dropcap.Container{ID: set, State: "running",
				PID: e.State(t, set).Pid})
			if err != nil || first == second || first == 0 {
				t.Errorf("numbers %d and %d, %v", first, second, err)
			}
			c.PID = e.State(t, set).Pid // another container's process
			if n, err := r.CgroupID(c); err == nil {
				t.Errorf("number %d by another container's process", n)
			}
		})
	}
}

func TestCgroupID(t *testing.T) {
	s := newSandbox(t)
	pid, _ := s.start("plain")
	c := dropcap.Container{ID: s.id, State: "running", PID: pid}
	got, err := local(t).CgroupID(c)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	for _, dir := range s.dirs {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			_ = unix.Stat(dir, &st)
		}
	}
	if got != st.Ino || got == 0 {
		t.Errorf("got %d, and the folder's inode is %d", got, st.Ino)
	}
	for name, bad := range map[string]dropcap.Container{
		"not running":       {ID: s.id, State: "exited", PID: pid},
		"its own kernel":    {ID: s.id, State: "running", PID: pid, Runtime: "runsc"},
		"a stranger":        {ID: s.id, State: "running", PID: os.Getpid()},
		"part of the id":    {ID: s.id[:12], State: "running", PID: pid},
		"another container": {ID: strings.Repeat("0", 64), State: "running", PID: pid},
	} {
		if n, err := local(t).CgroupID(bad); err == nil || errors.Is(err, dropcap.ErrGone) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	c.PID = unused(t)
	if _, err := local(t).CgroupID(c); !errors.Is(err, dropcap.ErrGone) {
		t.Errorf("gone: %v", err)
	}
}
