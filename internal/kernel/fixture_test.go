package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
)

const (
	idA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	idB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

	defaults = "00000000a80425fb"
	none     = "0000000000000000"
	full     = "000001ffffffffff"
)

// The mounts of three kinds of hosts.
const (
	mountsV2 = `22 27 0:21 / /proc rw,nosuid - proc proc rw
30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
`
	mountsV1 = `22 27 0:21 / /proc rw - proc proc rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
`
	mountsHybrid = mountsV1 + `41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`
)

// tree is a host made of files.
type tree struct {
	t    *testing.T
	root string
	// outer lists the user namespaces around each one, as far as the kernel would return them.
	outer map[string][]string
}

func newTree(t *testing.T, mountinfo string) tree {
	f := tree{t, t.TempDir(), map[string][]string{}}
	f.write("proc/self/mountinfo", mountinfo)
	f.link("proc/1/ns/user", "user:[4026531837]")
	return f
}

func (f tree) write(path, text string) {
	f.t.Helper()
	path = filepath.Join(f.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f tree) link(path, to string) {
	f.t.Helper()
	path = filepath.Join(f.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	_ = os.Remove(path)
	if err := os.Symlink(to, path); err != nil {
		f.t.Fatal(err)
	}
}

// proc is a process of a tree. Fields left empty get what a default container's process has.
type proc struct {
	pid, parent, threads   int
	name, state            string
	bounding, effective    string
	noNewPrivs             int
	cgroup                 string // the text of /proc/PID/cgroup
	userNS                 string
	listed                 []string // the cgroup folders whose cgroup.procs lists it
	tasks                  []proc
	inheritable, permitted string
	ambient                string
}

func (p proc) status(tgid int) string {
	or := func(s, t string) string {
		if s == "" {
			return t
		}
		return s
	}
	return fmt.Sprintf(
		"Name:\t%s\nUmask:\t0022\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\nGroups:\t0 1 \n"+
			"Threads:\t%d\nSigQ:\t0/63\nCapInh:\t%s\nCapPrm:\t%s\nCapEff:\t%s\nCapBnd:\t%s\nCapAmb:\t%s\nNoNewPrivs:\t%d\nSeccomp:\t2\n",
		or(p.name, "sh"), or(p.state, "S (sleeping)"), tgid, p.pid, p.parent, max(p.threads, 1),
		or(p.inheritable, none),
		or(p.permitted, or(p.effective, defaults)), or(p.effective, defaults),
		or(p.bounding, defaults), or(p.ambient, none), p.noNewPrivs)
}

func (f tree) add(list ...proc) {
	f.t.Helper()
	for _, p := range list {
		dir := fmt.Sprintf("proc/%d/", p.pid)
		p.threads = 1 + len(p.tasks)
		f.write(dir+"status", p.status(p.pid))
		f.write(dir+"cgroup", p.cgroup)
		f.write(fmt.Sprintf("%stask/%d/status", dir, p.pid), p.status(p.pid))
		for _, th := range p.tasks {
			th.parent, th.threads = p.parent, p.threads
			f.write(fmt.Sprintf("%stask/%d/status", dir, th.pid), th.status(p.pid))
		}
		if p.userNS == "" {
			p.userNS = "user:[4026531837]"
		}
		f.link(dir+"ns/user", p.userNS)
		for _, c := range p.listed {
			f.list(c, fmt.Sprint(p.pid))
		}
	}
}

// list appends a line to a cgroup's list of processes.
func (f tree) list(cgroup, line string) {
	f.t.Helper()
	path := "sys/fs/cgroup/" + cgroup + "/cgroup.procs"
	old, _ := os.ReadFile(filepath.Join(f.root, path))
	f.write(path, string(old)+line+"\n")
}

func (f tree) reader() *Reader {
	f.t.Helper()
	r, err := New(f.root)
	if err != nil {
		f.t.Fatal(err)
	}
	// as for a user who is not root
	r.hidden = hidesOthers(parseMountinfo([]byte(firstFile(f.t, f.root))))
	r.around = func(path string) []string {
		ns, _ := os.Readlink(path)
		return append([]string{ns}, f.outer[ns]...)
	}
	return r
}

func firstFile(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (f tree) look(c dropcap.Container) (dropcap.Kernel, error) {
	f.t.Helper()
	if c.State == "" {
		c.State = "running"
	}
	return f.reader().Look(f.t.Context(), c)
}

func (f tree) mustLook(c dropcap.Container) dropcap.Kernel {
	f.t.Helper()
	k, err := f.look(c)
	if err != nil || !k.Visible {
		f.t.Fatalf("Look = %+v, %v; want it visible", k, err)
	}
	return k
}

// brief formats a Kernel's processes as "origin pids comm bounding", one on each line.
func brief(k dropcap.Kernel) string {
	var b strings.Builder
	for _, p := range k.Processes {
		fmt.Fprintf(&b, "%s %v %q %s\n", p.Origin, p.PIDs, p.Comm,
			strings.TrimLeft(p.Bounding, "0"))
	}
	return b.String()
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
