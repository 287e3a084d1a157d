package verdict

import (
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func permissionCheck(c caps.Cap, granted bool, count uint64) dropcap.KernelCheck {
	return dropcap.KernelCheck{
		Cap: c, Granted: granted, OwnCred: true, Syscall: "openat", Count: count,
		Frames: []string{"generic_permission", "inode_permission", "may_open", "path_openat"},
	}
}

func TestOverrideAfterDeniedReadIsAnAlternative(t *testing.T) {
	shared := func(c dropcap.KernelCheck, frames ...string) dropcap.KernelCheck {
		c.CountShared, c.Frames = true, append([]string{"generic_permission"}, frames...)
		return c
	}
	elsewhere := permissionCheck(caps.DacReadSearch, false, 7)
	elsewhere.Exe.Inode = 9
	for _, x := range []struct {
		name   string
		checks []dropcap.KernelCheck
		class  dropcap.Class // of the first
	}{
		{"reads only", []dropcap.KernelCheck{permissionCheck(caps.DacOverride, true, 7),
			permissionCheck(caps.DacReadSearch, false, 7)}, dropcap.Alternative},
		{"writes too", []dropcap.KernelCheck{permissionCheck(caps.DacOverride, true, 8),
			permissionCheck(caps.DacReadSearch, false, 7)}, dropcap.Decisive},
		{"no reads", []dropcap.KernelCheck{permissionCheck(caps.DacOverride, true, 7)},
			dropcap.Decisive},
		{"reads of another program",
			[]dropcap.KernelCheck{permissionCheck(caps.DacOverride, true, 7), elsewhere},
			dropcap.Decisive},
		{"read granted", []dropcap.KernelCheck{permissionCheck(caps.DacReadSearch, true, 7)},
			dropcap.Alternative},
		{
			"counts of all paths together", []dropcap.KernelCheck{
				shared(permissionCheck(caps.DacOverride, true, 7), "may_open"),
				shared(permissionCheck(caps.DacOverride, true, 7), "link_path_walk"),
				shared(permissionCheck(caps.DacReadSearch, false, 7), "vfs_open"),
			}, dropcap.Alternative,
		},
	} {
		v := All(x.checks)
		if len(v) != len(x.checks) || v[0].Class != x.class {
			t.Errorf("%s: %+v, want %s first", x.name, v, x.class)
		}
		if (v[0].Class == dropcap.Alternative) == v[0].Or.Empty() {
			t.Errorf("%s: %s or %s", x.name, v[0].Class, v[0].Or)
		}
	}
}

func TestMarkAfterDeniedRawIsAnAlternative(t *testing.T) {
	at := func(c caps.Cap, granted bool, site string) dropcap.KernelCheck {
		return dropcap.KernelCheck{Cap: c, Granted: granted, OwnCred: true, Syscall: "setsockopt",
			Count: 3, Frames: []string{"sockopt_ns_capable", site, "udp_setsockopt"}}
	}
	v := All([]dropcap.KernelCheck{at(caps.NetAdmin, true, "sk_setsockopt"),
		at(caps.NetRaw, false, "sk_setsockopt")})
	if v[0].Class != dropcap.Alternative || v[0].Or != caps.Of(caps.NetRaw) {
		t.Errorf("SO_MARK without NET_RAW: %+v", v[0])
	}
	v = All([]dropcap.KernelCheck{at(caps.NetAdmin, true, "sock_setsockopt"),
		at(caps.NetRaw, false, "sk_setsockopt")})
	if v[0].Class != dropcap.Decisive {
		t.Errorf("different places are no pair: %+v", v[0])
	}
}

// A check that no rule matches keeps the capability: a wrong "advisory" breaks the container.
func TestUnknownIsKept(t *testing.T) {
	for c := caps.Cap(0); c < 64; c++ {
		for _, frames := range [][]string{nil, {"cap_capable"}, {"never_heard_of", "entry"}, {""}} {
			v := Of(dropcap.KernelCheck{Cap: c, Granted: true, OwnCred: true, Frames: frames})
			if !v.Class.Keeps() {
				t.Errorf("%s at %q: %s by rule %s, which lets it be dropped", c, frames, v.Class,
					v.Rule)
			}
			if c != caps.Fsetid && v.Rule != UnknownRule {
				t.Errorf("%s at %q: rule %s fits anything", c, frames, v.Rule)
			}
		}
	}
}

// Only these may let a capability be dropped although a check of it was granted. The table gives
// the reason for each.
func TestTheRulesThatDropAreThese(t *testing.T) {
	var got []string
	for _, r := range rules {
		if !r.Class.Keeps() {
			got = append(got, r.Name)
		}
	}
	want := []string{
		"beyond", "nested", "looked-in-vain", "overlay", "overcommit", "jit", "set-current",
		"xattr-list", "reserved-blocks", "no-setgid-bit",
		"net-sysctl-search", "proc-stat", "inherit-within", "symbols-of-programs", "modules-list",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The tracer's paths differ: wrappers and compilers' suffixes may or may not be present.
func TestCompilersSuffixesAndWrappersDoNotMatter(t *testing.T) {
	lines, _ := read(t, "testdata/older.txt")
	for _, l := range lines {
		c := l.kernelCheck(t)
		want := Of(c)
		if len(c.Frames) == 0 {
			continue
		}
		c.Frames = append([]string{"cap_capable", "security_capable", "ns_capable"}, c.Frames...)
		for i := range c.Frames {
			c.Frames[i] += ".isra.0"
		}
		if got := Of(c); got.Rule != want.Rule || got.Class != want.Class ||
			want.Rule != UnknownRule && got.Site != want.Site {
			t.Errorf("%s: %+v with suffixes, %+v without", l.name, got, want)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add(uint8(1), true, true, "openat", "generic_permission ovl_permission inode_permission")
	f.Add(uint8(7), false, false, "setuid", "__sys_setuid.cold")
	f.Add(uint8(200), true, false, "", "ovl_")
	f.Fuzz(func(t *testing.T, c uint8, granted, own bool, call, frames string) {
		k := dropcap.KernelCheck{Cap: caps.Cap(c), Granted: granted, OwnCred: own, Syscall: call,
			Frames: strings.Fields(frames), Count: 1}
		v := Of(k)
		if v.Class == "" || v.Because == "" || v.Rule == "" {
			t.Errorf("an empty verdict: %+v", v)
		}
		if all := All([]dropcap.KernelCheck{k}); all[0] != v {
			t.Errorf("alone %+v, in company of none %+v", v, all[0])
		}
	})
}

func TestWithoutAPathTheSystemCallDecidesWhereItCan(t *testing.T) {
	for _, c := range []struct {
		check dropcap.KernelCheck
		want  dropcap.Class
	}{
		{dropcap.KernelCheck{Cap: caps.SysChroot, Syscall: "chroot", OwnCred: true, Granted: true},
			dropcap.Decisive},
		{dropcap.KernelCheck{Cap: caps.Setuid, Syscall: "setuid", Arg: dropcap.ArgCurrent,
			OwnCred: true, Granted: true}, dropcap.Advisory},
		{dropcap.KernelCheck{Cap: caps.DacOverride, Syscall: "chroot", OwnCred: true,
			Granted: true}, dropcap.UnknownNeed},
		{dropcap.KernelCheck{Cap: caps.SysAdmin, Syscall: "mmap", OwnCred: true, Granted: true},
			dropcap.UnknownNeed},
	} {
		if v := Of(c.check); v.Class != c.want || v.Site != c.check.Syscall {
			t.Errorf("%s in %s: %s at %s, want %s", c.check.Cap.Short(), c.check.Syscall, v.Class,
				v.Site, c.want)
		}
	}
}
