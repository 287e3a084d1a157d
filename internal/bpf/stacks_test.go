package bpf

import (
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
)

// fill puts stacks that are in no call path into the kernel's table until only left places remain.
func fill(t *testing.T, tr *Tracer, left int) {
	t.Helper()
	m := tr.collection.Maps[capabilityMapStacks]
	there, err := entries[capabilityCallStack, uint64](m)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int(m.MaxEntries()) - left - len(there) {
		s := capabilityCallStack{}
		s.Frames[0] = uint64(i + 1)
		if err := m.Put(s, uint64(i+1)<<32); err != nil { // a number that no processor assigns
			t.Fatal(err)
		}
	}
}

const manyActs = "setuid0:3 setgid0:3 setgroups:3 chown:3 mknod:3 rawsocket:3 chroot:3 " +
	"chmod-other:3 chmod-setgid:3 securebits:3 keep-chown:3"

func TestNoCallPathIsLostWhileThereIsRoom(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	watchOnly(t, tr, b)
	fill(t, tr, 256)
	b.run(manyActs)
	_, list := b.counts(tr)
	_, stats, err := tr.Checks()
	if err != nil || stats.NoStack != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
	for _, c := range list {
		if len(c.Frames) == 0 {
			t.Errorf("no call path: %+v", c)
		}
	}
}

func TestCallPathsWithoutRoomAreCountedAndComeBack(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	watchOnly(t, tr, b)
	fill(t, tr, 0)
	b.run(manyActs)
	chown := func() dropcap.KernelCheck {
		_, list := b.counts(tr)
		return find(list, caps.Chown, "fchownat")[0]
	}
	if c := chown(); c.Count != 3 || c.Frames != nil {
		// this makes room: no earlier stack is in a path
		t.Errorf("%+v", c)
	}
	_, full, err := tr.Checks()
	if err != nil || full.NoStack < 10 || full.Lost != 0 {
		t.Errorf("%+v, %v", full, err)
	}
	b.run(manyActs)
	if c := chown(); c.Count != 6 || len(c.Frames) == 0 {
		t.Errorf("%+v", c)
	}
	if _, stats, err := tr.Checks(); err != nil || stats.NoStack != full.NoStack {
		t.Errorf("%+v, %v; before %+v", stats, err, full)
	}
}

// One container can only use a limited share, so that others have room.
func TestOneContainersCallPathsLeaveRoom(t *testing.T) {
	tr, a, b := start(t, Options{MaxKeysEach: 4}), newBox(t), newBox(t)
	watchOnly(t, tr, a, b)
	counted := func() int {
		paths, err := entries[capabilityCallPath, uint64](
			tr.collection.Maps[capabilityMapCallPaths])
		if err != nil {
			t.Fatal(err)
		}
		return len(paths)
	}
	before := counted() // of other containers of this host, until only these were watched
	a.run(manyActs)
	if n := counted() - before; n < 1 || n > 8 {
		t.Errorf("%d paths", n)
	}
}

// A call path whose stack is gone is not ignored silently.
func TestAPathWithoutItsStackIsCounted(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	watchOnly(t, tr, b)
	b.run("chown:3")
	if err := drop(tr.collection.Maps[capabilityMapStacks], func(capabilityCallStack, uint64) bool {
		return true
	}); err != nil {
		t.Fatal(err)
	}
	_, list := b.counts(tr)
	_, stats, err := tr.Checks()
	if err != nil || stats.NoStack == 0 {
		t.Errorf("%+v, %v", stats, err)
	}
	if c := find(list, caps.Chown, "fchownat"); len(c) != 1 || c[0].Count != 3 ||
		c[0].Frames != nil {
		t.Errorf("%+v", c)
	}
	b.run("chown:2")
	_, list = b.counts(tr)
	if c := find(list, caps.Chown, "fchownat"); len(c) != 1 || c[0].Count != 5 ||
		len(c[0].Frames) == 0 {
		t.Errorf("%+v", c)
	}
}

// Until the engine reports it, a container that began before the tracer is running, and another one
// starting.
func TestThePhaseIsKnownBeforeItIsSet(t *testing.T) {
	for name, flags := range map[string]uintptr{
		"with a PID namespace": unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		"without":              unix.CLONE_NEWNS,
	} {
		t.Run(name, func(t *testing.T) {
			old, young := newBox(t), newBox(t)
			first := old.command(self(t), "tell await setuid0 fork")
			first.SysProcAttr.Cloneflags = flags
			end := background(t, first)
			tr := start(t, Options{})
			if flags&unix.CLONE_NEWPID != 0 { // as docker exec does
				second := old.command(self(t), "setgid0")
				second.SysProcAttr.Cloneflags = unix.CLONE_NEWNS
				second.SysProcAttr.Pdeathsig = 0
				runIn(t, second, first, true)
			}
			young.run("setuid0 fork")
			end()
			for b, want := range map[*box]string{old: dropcap.PhaseRun, young: dropcap.PhaseStart} {
				_, list := b.counts(tr)
				if len(list) == 0 {
					t.Error("nothing was counted")
				}
				for _, c := range list {
					if c.Phase != want {
						t.Errorf("phase %q, want %q: %+v", c.Phase, want, c)
					}
				}
			}
		})
	}
}
