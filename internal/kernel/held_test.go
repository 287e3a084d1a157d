package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
)

// unbind empties this thread's bounding set. A root process keeps its inheritable set through
// execve (security/commoncap.c, handle_privileged_root), so afterwards every thread has the other
// sets but no bounding set.
func unbind() {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	for i := range data {
		data[i].Inheritable = data[i].Permitted
	}
	if err == nil {
		err = unix.Capset(&header, &data[0])
	}
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	for c := caps.Cap(0); c < 64; c++ {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0); err != nil {
			return // the kernel has no more
		}
		giveUp(c)
	}
}

// nest starts this program, as "plain", in a user namespace of its own. It lives until this one's
// input ends.
func nest() (pid int) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stdin = append(os.Environ(), "DROPCAP_KERNEL_TEST=plain"), os.Stdin
	cmd.SysProcAttr = ownUserNS()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = fmt.Fscanf(out, "ready %d\n", &pid)
	}
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	return pid
}

func ownUserNS() *syscall.SysProcAttr {
	root := []syscall.SysProcIDMap{{Size: 1}}
	return &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: root,
		GidMappings: root}
}

// A program that empties its bounding set still holds what it has permitted.
func TestLookAtAProcessWithoutABoundingSet(t *testing.T) {
	s := newSandbox(t)
	pid, _ := s.start("unbound")
	k := s.look(dropcap.Container{PID: pid})
	whole := ownBounding(t)
	if *k.Bounding != 0 || *k.Effective != whole || *k.Held != whole {
		t.Errorf("bounding %s, effective %s, held %s; want none and twice %s", k.Bounding,
			k.Effective, k.Held, whole)
	}
}

// Three user namespaces, one within another and one beside them. Each of the processes is the
// container's first in turn.
func TestLookAtRealUserNamespaces(t *testing.T) {
	s := newSandbox(t)
	outer, inner := s.start("nest")
	s.enter(inner)
	beside, _ := s.start("plain")
	for _, tt := range []struct {
		first int
		want  map[int]string
	}{
		{outer, map[int]string{outer: dropcap.UserNSHost, inner: dropcap.UserNSNested,
			beside: dropcap.UserNSHost}},
		{inner, map[int]string{outer: dropcap.UserNSHost, inner: dropcap.UserNSOwn,
			beside: dropcap.UserNSHost}},
	} {
		k := s.look(dropcap.Container{PID: tt.first})
		checkNamespaces(t, k, tt.want)
	}
}

func TestLookCountsWhatItsFirstProcessLeftBehind(t *testing.T) {
	s := newSandbox(t)
	middle, inner := s.startIn(ownUserNS(), "nest")
	s.enter(inner)
	sibling, _ := s.startIn(ownUserNS(), "plain")
	checkNamespaces(t, s.look(dropcap.Container{PID: inner}),
		map[int]string{middle: dropcap.UserNSOther, inner: dropcap.UserNSOwn,
			sibling: dropcap.UserNSOther})
	checkNamespaces(t, s.look(dropcap.Container{PID: middle}),
		map[int]string{middle: dropcap.UserNSOwn, inner: dropcap.UserNSNested,
			sibling: dropcap.UserNSOther})
}

// checkNamespaces checks that each process is reported in its user namespace, and that all but the
// nested ones count.
func checkNamespaces(t *testing.T, k dropcap.Kernel, want map[int]string) {
	t.Helper()
	var counted, nested caps.Set
	for _, p := range k.Processes {
		held, err := p.Holds()
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range p.PIDs {
			if p.UserNS != want[pid] {
				t.Errorf("process %d is said to be in user namespace %q, want %q", pid, p.UserNS,
					want[pid])
			}
			if want[pid] == dropcap.UserNSNested {
				nested |= held
			} else {
				counted |= held
			}
			delete(want, pid)
		}
	}
	if len(want) > 0 {
		t.Errorf("not seen: %v", want)
	}
	if *k.Held != counted {
		t.Errorf("held %s, want %s", k.Held, counted)
	}
	if nested.Empty() != (k.Nested == nil) || k.Nested != nil && *k.Nested != nested {
		t.Errorf("nested %v, want %s", k.Nested, nested)
	}
}

// ownBounding returns the bounding set of the test's own process.
func ownBounding(t *testing.T) caps.Set {
	t.Helper()
	s, err := local(t).status("self")
	if err != nil {
		t.Fatal(err)
	}
	return s.masks.bounding
}
