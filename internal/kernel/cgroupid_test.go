package kernel

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/dockertest"
)

// unused returns the number of a process that has ended.
func unused(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// The number of a real container's cgroup is its own, and its own process has to vouch for it.
func TestCgroupIDOfRealContainers(t *testing.T) {
	for _, kind := range []dockertest.Kind{dockertest.Docker20, dockertest.Docker29} {
		t.Run(string(kind), func(t *testing.T) {
			e := dockertest.Start(t, kind)
			if _, err := e.Import("box:1"); err != nil {
				t.Fatal(err)
			}
			r := local(t)
			web := e.RunContainer(t, "web", `{"Image":"box:1","Cmd":["sleep","1000"]}`)
			db := e.RunContainer(t, "db", `{"Image":"box:1","Cmd":["sleep","1000"]}`)
			c := dropcap.Container{ID: web, State: "running", PID: e.State(t, web).Pid}
			first, err := r.CgroupID(c)
			if err != nil {
				t.Fatal(err)
			}
			second, err := r.CgroupID(dropcap.Container{ID: db, State: "running",
				PID: e.State(t, db).Pid})
			if err != nil || first == second || first == 0 {
				t.Errorf("numbers %d and %d, %v", first, second, err)
			}
			c.PID = e.State(t, db).Pid // another container's process
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
