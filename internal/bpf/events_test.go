package bpf

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
)

func TestEachCheckIsCountedExactly(t *testing.T) {
	tr := start(t, Options{})
	var before Stats
	for _, c := range []struct {
		name, acts string
		want       map[string]uint64
	}{
		{"setuid to the own id", "setuid0:5",
			map[string]uint64{"SETUID setuid current granted": 5}},
		{"setuid to another", "setuid-foreign",
			map[string]uint64{"SETUID setuid foreign granted": 1}},
		{"setuid to another, denied", "drop-all setuid-foreign:6",
			map[string]uint64{"SETUID setuid foreign denied": 6}},
		{"setuid to the saved id", "euid-foreign setuid0", map[string]uint64{
			"SETUID setresuid foreign granted": 1, "SETUID setuid saved denied": 1}},
		{"setgid", "setgid0:300", map[string]uint64{"SETGID setgid current granted": 300}},
		{"setgroups", "setgroups:3 drop-all setgroups:2", map[string]uint64{
			"SETGID setgroups granted": 3, "SETGID setgroups denied": 2}},
		{"chown", "chown:70 drop-all chown:4", map[string]uint64{
			"CHOWN fchownat granted": 70, "CHOWN fchownat denied": 4}},
		{"mknod", "mknod:3", map[string]uint64{"MKNOD mknodat nosetid granted": 3}},
		{"raw sockets", "rawsocket:4 drop-all rawsocket:3", map[string]uint64{
			"NET_RAW socket granted": 4, "NET_RAW socket denied": 3}},
		{"chroot", "chroot:2 drop-all chroot", map[string]uint64{"SYS_CHROOT chroot granted": 2,
			"SYS_CHROOT chroot denied": 1}},
		// Both setattr_prepare and setattr_copy check FSETID.
		{"chmod of another's file", "chmod-own:9 chmod-other:5", map[string]uint64{
			"FOWNER fchmodat nosetid granted": 5, "FSETID fchmodat nosetid granted": 10}},
		{"chmod with a set-group-id bit", "chmod-setgid:2", map[string]uint64{
			"FOWNER fchmodat setid granted": 2, "FSETID fchmodat setid granted": 4}},
		{"secure bits", "securebits:3 drop-all securebits:2", map[string]uint64{
			"SETPCAP prctl granted": 3, "SETPCAP prctl denied": 2}},
		{"a limit raised", "drop-all raise-limit:2",
			map[string]uint64{"SYS_RESOURCE prlimit64 raise denied": 2}},
		// The second process may only keep CHOWN, so it is denied what the first is granted.
		{"sets to hand on", "inherit keep-chown drop-all inherit", map[string]uint64{
			"SETPCAP capset within granted": 1, "SETPCAP capset within denied": 2,
			"SETPCAP capset more denied": 1}},
		{"a limit left", "same-limit:2",
			map[string]uint64{"SYS_RESOURCE prlimit64 raise granted": 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBox(t)
			b.run(c.acts)
			b.expect(tr, c.want)
			_, stats, err := tr.Checks()
			if err != nil || stats.Lost != before.Lost || stats.NoStack != before.NoStack ||
				stats.NoPath != before.NoPath {
				t.Errorf("stats %+v, %v; before %+v", stats, err, before)
			}
			before = stats
		})
	}
}

// The hostname belongs to the initial user namespace: no capability of a container in another one
// allows setting it.
func TestWhatNoContainerCanHoldIsBeyond(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	cmd := b.command(self(t), "hostname:3")
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
	cmd.SysProcAttr.GidMappings = cmd.SysProcAttr.UidMappings
	finish(t, cmd)
	b.expect(tr, map[string]uint64{"SYS_ADMIN sethostname denied beyond": 3})
}

// Ids in arguments are relative to the caller's user namespace, those in credentials to the host's.
func TestArgumentsAreReadInTheCallersUserNamespace(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	cmd := b.command(self(t), "setuid0:2 setgid0:3 setuid-foreign")
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1},
		{ContainerID: 1, HostID: 100001, Size: 65535}}
	cmd.SysProcAttr.GidMappings = cmd.SysProcAttr.UidMappings
	finish(t, cmd)
	b.expect(tr, map[string]uint64{
		"SETUID setuid current granted": 2, "SETGID setgid current granted": 3,
		"SETUID setuid foreign granted": 1})
}

func TestACallSaysWhereWhoAndWhen(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	before := time.Now()
	b.run("chown:5")
	list := find(b.expect(tr, map[string]uint64{"CHOWN fchownat granted": 5}), caps.Chown,
		"fchownat")
	if len(list) != 1 {
		t.Fatalf("%d entries: %+v", len(list), list)
	}
	c := list[0]
	var st unix.Stat_t
	if err := unix.Stat(self(t), &st); err != nil {
		t.Fatal(err)
	}
	if c.Exe.Path != self(t) || c.Exe.Dev != st.Dev || c.Exe.Inode != st.Ino ||
		c.Exe.From == dropcap.FromMemory {
		t.Errorf("executable %+v, want %s (%d, %d)", c.Exe, self(t), st.Dev, st.Ino)
	}
	if len(c.Frames) < 3 || !slices.Contains([]string{"chown_ok", "setattr_prepare"},
		c.Frames[0]) || !slices.Contains(c.Frames, "notify_change") {
		t.Errorf("frames %q", c.Frames)
	}
	if c.First.Before(before.Add(-50*time.Millisecond)) || c.Last.After(time.Now()) ||
		c.Last.Before(c.First) {
		t.Errorf("from %v to %v, and it was %v", c.First, c.Last, before)
	}
	if c.UID != 0 || c.Origin != dropcap.OriginInit || c.Phase != dropcap.PhaseStart {
		t.Errorf("%+v", c)
	}
}

func TestCapsetTellsWhatWasAskedFor(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	b.run("keep-chown drop-all")
	list := find(b.expect(tr, map[string]uint64{"SETPCAP capset within granted": 1,
		"SETPCAP capset within denied": 1}), caps.Setpcap, "capset")
	for _, c := range list {
		if want := caps.Of(caps.Chown); c.Granted && c.Asked != want || !c.Granted && c.Asked != 0 {
			t.Errorf("asked %v, granted %v", c.Asked, c.Granted)
		}
	}
}
