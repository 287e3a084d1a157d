package bpf

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
)

// A runtime's program comes from outside the container's mounts, whatever its name; the container's
// own begins with the first exec inside.
func TestTheRuntimesOwnChecksAreNotTheContainers(t *testing.T) {
	tr := start(t, Options{})
	t.Run("before the exec", func(t *testing.T) {
		b := newBox(t)
		finish(t, b.command("/proc/self/exe", "setuid0:5 chown:2 exec"))
		b.expect(tr, map[string]uint64{"SETUID setuid current granted": 0,
			"CHOWN fchownat granted": 0, "SETGID setgid current granted": 3})
	})
	t.Run("before it has namespaces of its own", func(t *testing.T) {
		b := newBox(t)
		cmd := b.command(self(t), "setuid0:5")
		cmd.SysProcAttr.Cloneflags = 0
		finish(t, cmd)
		b.expect(tr, map[string]uint64{"SETUID setuid current granted": 0})
	})
	t.Run("but its children's are", func(t *testing.T) {
		b := newBox(t)
		finish(t, b.command("/proc/self/exe", "setgid0:5 fork"))
		b.expect(tr, map[string]uint64{"SETGID setgid current granted": 0,
			"SETUID setuid current granted": 7})
	})
}

func TestAContainersProcessCannotHide(t *testing.T) {
	tr := start(t, Options{})
	for _, c := range []struct {
		name, acts string
		want       map[string]uint64
		memory     bool
	}{
		{"behind the runtime's name", "fake-comm setgid0:6",
			map[string]uint64{"SETGID setgid current granted": 6}, false},
		{"in memory", "setuid0:2 memfd", map[string]uint64{"SETUID setuid current granted": 2,
			"SETGID setgid current granted": 9}, true},
		{"in a program of another mount namespace", "setuid0:2 foreign-exe",
			map[string]uint64{"SETGID setgid current granted": 4}, false},
		{"in a second thread", "threads", map[string]uint64{"SETUID setuid current granted": 2000},
			false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBox(t)
			b.run(c.acts)
			list := b.expect(tr, c.want)
			for _, k := range find(list, caps.Setgid, "setgid") {
				if (k.Exe.From == dropcap.FromMemory) != c.memory {
					t.Errorf("executable %+v, want memory %v", k.Exe, c.memory)
				}
			}
		})
	}
}

func TestAProgramThatIsGoneHasItsPath(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	b.run("copy setuid0")
	list := find(b.expect(tr, map[string]uint64{"SETGID setgid current granted": 2}), caps.Setgid,
		"setgid")
	if want := filepath.Join(b.work, "deep/er/still/written"); len(list) != 1 ||
		list[0].Exe.Path != want {
		t.Errorf("%+v, want %s", list, want)
	}
}

func TestACgroupInsideAContainerIsTheContainers(t *testing.T) {
	tr, outer := start(t, Options{}), newBox(t)
	inner := boxAt(t, outer.dir, randomID(t))
	inner.run("setuid0:11")
	outer.run("setuid0:2")
	outer.expect(tr, map[string]uint64{"SETUID setuid current granted": 13})
	inner.expect(tr, map[string]uint64{"SETUID setuid current granted": 0})
	sightings, err := tr.Sightings()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sightings {
		if s.Cgroup == inner.id {
			t.Errorf("the cgroup inside is taken for a container: %+v", s)
		}
	}
}

func TestNamesOfContainersAreRecognised(t *testing.T) {
	tr, top := start(t, Options{}), tree(t)
	id := randomID(t)
	for name, want := range map[string]bool{
		id: true, "docker-" + id + ".scope": true, "libpod-" + id + ".scope": true,
		"libpod-" + id: true, "docker-" + id + ".slice": false,
		id[1:]: false, "x" + id[1:]: false, id + "0": false, "libpod-conmon-" + id +
			".scope": false, "dockex-" + id + ".scope": false,
	} {
		b := boxAt(t, top, name)
		b.run("setuid0:3")
		counted, _ := b.counts(tr)
		if got := counted["SETUID setuid current granted"] == 3; got != want {
			t.Errorf("%s is a container: %v, want %v", name, got, want)
		}
	}
}

// Each process placed beside the first one, by docker exec, has a tree of its own.
func TestExecsAreToldApart(t *testing.T) {
	tr := start(t, Options{})
	for _, c := range []struct {
		name  string
		flags uintptr
		join  bool
	}{{"with a PID namespace", unix.CLONE_NEWNS | unix.CLONE_NEWPID, true},
		{"without", unix.CLONE_NEWNS, false}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBox(t)
			first := b.command(self(t), "setuid0 tell await setuid0 fork")
			first.SysProcAttr.Cloneflags = c.flags
			end := background(t, first)
			second := b.command(self(t), "setgid0 fork")
			second.SysProcAttr.Cloneflags = unix.CLONE_NEWNS
			// a child that cannot see its parent's number believes it dead
			second.SysProcAttr.Pdeathsig = 0
			runIn(t, second, first, c.join)
			end()
			list := b.expect(tr, map[string]uint64{"SETGID setgid current granted": 1,
				"SETUID setuid current granted": 16})
			origins := map[string]uint64{}
			for _, k := range append(find(list, caps.Setuid, "setuid"),
				find(list, caps.Setgid, "setgid")...) {
				origins[k.Origin+" "+k.Syscall] += k.Count
			}
			if got, want := fmt.Sprint(origins),
				"map[exec setgid:1 exec setuid:7 init setuid:9]"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// background starts an actor and waits until it is ready; end lets it go on, and waits for its end.
func background(t *testing.T, cmd *exec.Cmd) (end func()) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	// Its parent is a thread, which must not end first: Pdeathsig.
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("actor said %q: %v", line, err)
	}
	return func() {
		io.WriteString(in, "x")
		if err := cmd.Wait(); err != nil {
			t.Errorf("actor: %v", err)
		}
	}
}

// runIn runs an actor, in another one's PID namespace if join is set.
func runIn(t *testing.T, cmd, other *exec.Cmd, join bool) {
	t.Helper()
	done := make(chan error)
	go func() {
		if join {
			runtime.LockOSThread() // never unlocked: the thread ends with what it joined
			ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/pid", other.Process.Pid))
			if err == nil {
				err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWPID)
				ns.Close()
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- cmd.Run()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestOnlyWhatIsWatchedIsCounted(t *testing.T) {
	tr := start(t, Options{})
	a, b := newBox(t), newBox(t)
	const call = "SETUID setuid current granted"
	for _, step := range []struct {
		name string
		do   func() error
		a, b uint64
	}{
		{"all", func() error { return nil }, 1, 1},
		{"all but one", func() error { return tr.Watch(a.id, false) }, 1, 2},
		{"none", func() error { return tr.Default(false) }, 1, 2},
		{"the one that is named", func() error { return tr.Watch(b.id, true) }, 1, 3},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		a.run("setuid0")
		b.run("setuid0")
		a.expect(tr, map[string]uint64{call: step.a})
		b.expect(tr, map[string]uint64{call: step.b})
	}
}

func TestAContainerCanBeNamedBeforeItIsSeen(t *testing.T) {
	tr := start(t, Options{})
	if err := tr.Default(false); err != nil {
		t.Fatal(err)
	}
	b := newBox(t)
	if err := tr.Watch(b.id, true); err != nil {
		t.Fatal(err)
	}
	if err := tr.SetPhase(b.id, dropcap.PhaseStart); err != nil {
		t.Fatal(err)
	}
	b.run("setuid0:2")
	if err := tr.SetPhase(b.id, dropcap.PhaseStop); err != nil {
		t.Fatal(err)
	}
	b.run("setuid0:3")
	phases := map[string]uint64{}
	for _, c := range find(b.expect(tr, nil), caps.Setuid, "setuid") {
		phases[c.Phase] += c.Count
	}
	if got := fmt.Sprint(phases); got != "map[start:2 stop:3]" {
		t.Errorf("phases %s", got)
	}
}

func TestASightingTellsWhichContainer(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	b.run("setuid0")
	all, err := tr.Sightings()
	if err != nil {
		t.Fatal(err)
	}
	var parent, root unix.Stat_t
	unix.Stat(tree(t), &parent)
	unix.Stat(filepath.Dir(tree(t)), &root)
	found := false
	for _, s := range all {
		if s.Cgroup == b.id {
			found = s.Name == b.name && s.Parent == parent.Ino && s.Ancestors[0] == parent.Ino &&
				!s.First.IsZero()
		}
	}
	if !found {
		t.Errorf("%d %s below %d is not in %+v", b.id, b.name, parent.Ino, all)
	}
	if again, err := tr.Sightings(); err != nil || len(again) != 0 {
		t.Errorf("a second time: %+v, %v", again, err)
	}
}

func TestForgetFreesWhatAContainerHeld(t *testing.T) {
	tr, a, b := start(t, Options{}), newBox(t), newBox(t)
	a.run("setuid0:3")
	b.run("setuid0:4")
	if err := tr.Forget(a.id); err != nil {
		t.Fatal(err)
	}
	if n, _ := a.counts(tr); len(n) != 0 {
		t.Errorf("left: %v", n)
	}
	b.expect(tr, map[string]uint64{"SETUID setuid current granted": 4})
	for name, left := range map[string]int{
		capabilityMapCallPaths: leftOf(t, tr, capabilityMapCallPaths,
			func(k capabilityCallPath) uint64 {
				return k.Check.Own
			}, a.id),
		capabilityMapPrograms: leftOf(t, tr, capabilityMapPrograms,
			func(k capabilityProgram) uint64 {
				return k.Own
			}, a.id),
		capabilityMapGroups: leftOf(t, tr, capabilityMapGroups, func(k uint64) uint64 {
			return k
		}, a.id),
	} {
		if left > 0 {
			t.Errorf("%d entries left in %s", left, name)
		}
	}
	a.run("setuid0:5") // the id of a cgroup is never reused, but one may live on
	a.expect(tr, map[string]uint64{"SETUID setuid current granted": 5})
}

func leftOf[K comparable](t *testing.T, tr *Tracer, name string, own func(K) uint64,
	cgroup uint64) (n int) {
	t.Helper()
	m := tr.collection.Maps[name]
	all := m.Iterate()
	var k K
	value := make([]byte, m.ValueSize())
	for all.Next(&k, &value) {
		if own(k) == cgroup {
			n++
		}
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}
