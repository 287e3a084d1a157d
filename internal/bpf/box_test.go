package bpf

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/testenv"
)

// start returns a tracer that watches everything. DROPCAP_TEST_HOOK forces a hook.
func start(t testing.TB, o Options) *Tracer {
	t.Helper()
	testenv.Need(t, testenv.Root, testenv.BTF)
	if o.Hook == "" {
		o.Hook = os.Getenv("DROPCAP_TEST_HOOK")
	}
	tr, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	if err := tr.Default(true); err != nil {
		t.Fatal(err)
	}
	return tr
}

// box is a cgroup with a container's name. What runs in it runs as a container's processes do, in a
// mount namespace and a PID namespace of its own.
type box struct {
	t    testing.TB
	dir  string // of the cgroup
	id   uint64
	name string
	work string // the actors' folder
}

// tree returns the cgroup above all boxes of all runs, so that those of a killed run are found.
func tree(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[2] == "cgroup2" {
			return filepath.Join(f[1], "dropcap-bpf-test")
		}
	}
	t.Fatal("no cgroup version 2 tree is mounted")
	return ""
}

func sweep(dir string) {
	all, _ := filepath.Glob(dir + "/*/")
	for _, d := range all {
		inner, _ := filepath.Glob(d + "/*/")
		for _, i := range inner {
			os.Remove(i)
		}
		os.Remove(d) // refused while processes are in it
	}
}

func randomID(t testing.TB) string {
	t.Helper()
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

func newBox(t testing.TB) *box {
	t.Helper()
	sweep(tree(t))
	t.Cleanup(func() { // runs after the box's own cleanup
		sweep(tree(t))
		os.Remove(tree(t)) // refused while another run has a box in it
	})
	return boxAt(t, tree(t), randomID(t))
}

func boxAt(t testing.TB, parent, name string) *box {
	t.Helper()
	b := &box{t: t, dir: filepath.Join(parent, name), name: name, work: t.TempDir()}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !testenv.Within(10*time.Second, func() bool { return os.Remove(b.dir) == nil }) {
			t.Errorf("cannot remove cgroup %s", b.dir)
		}
	})
	for name, owner := range map[string]int{"file": 0, "other": 77} {
		path := filepath.Join(b.work, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600),
			os.Chown(path, owner, owner)); err != nil {
			t.Fatal(err)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(b.dir, &st); err != nil {
		t.Fatal(err)
	}
	b.id = st.Ino
	return b
}

// command returns an actor that starts in the box.
func (b *box) command(path, acts string) *exec.Cmd {
	b.t.Helper()
	dir, err := os.Open(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { dir.Close() })
	cmd := exec.Command(path)
	cmd.Env, cmd.Dir = []string{actorEnv + "=" + acts}, b.work
	cmd.SysProcAttr = &syscall.SysProcAttr{
		UseCgroupFD: true, CgroupFD: int(dir.Fd()),
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL,
	}
	return cmd
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// run performs acts in the box and waits for their end.
func (b *box) run(acts string) {
	b.t.Helper()
	finish(b.t, b.command(self(b.t), acts))
}

func finish(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("actor: %v\n%s", err, stderr.String())
	}
}

// counts returns the checks of a box by the properties that matter here; frames do not.
func (b *box) counts(tr *Tracer) (map[string]uint64, []dropcap.KernelCheck) {
	b.t.Helper()
	all, _, err := tr.Checks()
	if err != nil {
		b.t.Fatal(err)
	}
	n, seen := map[string]uint64{}, map[string]bool{}
	var mine []dropcap.KernelCheck
	for _, c := range all {
		if c.Cgroup != b.id {
			continue
		}
		mine = append(mine, c)
		key := fmt.Sprintf("%+v", func() dropcap.KernelCheck { c.Frames = nil; return c }())
		if c.CountShared && seen[key] {
			continue
		}
		seen[key] = true
		n[kind(c)] += c.Count
	}
	return n, mine
}

var args = []string{"", " foreign", " saved", " current", " setid", " nosetid", " raise",
	" noraise", " within", " more", " look", " ambient"}

// kind formats a check: "SETUID setuid current granted", followed by what is unusual about it.
func kind(c dropcap.KernelCheck) string {
	verdict := "denied"
	if c.Granted {
		verdict = "granted"
	}
	s := c.Cap.Short() + " " + c.Syscall + args[c.Arg] + " " + verdict
	for what, is := range map[string]bool{" other-cred": !c.OwnCred,
		" child": c.Reach == dropcap.ReachChild, " beyond": c.Reach == dropcap.ReachBeyond,
		" nested": c.Reach == dropcap.ReachNested} {
		if is {
			s += what
		}
	}
	return s
}

// expect compares the counts of the named kinds only: the actor's own run-time causes checks too.
func (b *box) expect(tr *Tracer, want map[string]uint64) []dropcap.KernelCheck {
	b.t.Helper()
	got, list := b.counts(tr)
	bad := false
	for k, n := range want {
		if got[k] != n {
			b.t.Errorf("%q: counted %d, want %d", k, got[k], n)
			bad = true
		}
	}
	if bad {
		b.t.Logf("all: %v", got)
	}
	return list
}

func find(list []dropcap.KernelCheck, c caps.Cap, call string) []dropcap.KernelCheck {
	var out []dropcap.KernelCheck
	for _, k := range list {
		if k.Cap == c && k.Syscall == call {
			out = append(out, k)
		}
	}
	return out
}
