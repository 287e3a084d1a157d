package verdict

import (
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// pairs are the questions that the kernel asks one after the other until one is granted. A granted
// second question after as many denied first ones shows that the first capability would have
// sufficed.
var pairs = []struct {
	first, second caps.Cap
	at            []string // where both are asked; empty: wherever both are on the same path
	because       string
}{
	{caps.DacReadSearch, caps.DacOverride, permission,
		"reading or searching what the mode forbids fails with EACCES; DAC_READ_SEARCH would do, " +
			"but opens open_by_handle_at(2)"},
	{caps.NetRaw, caps.NetAdmin, []string{"sk_setsockopt", "do_ip_setsockopt",
		"do_ipv6_setsockopt"}, "setting an option of a socket fails with EPERM; NET_RAW would do"},
	{caps.BPF, caps.SysAdmin, nil,
		"loading programs or making maps fails with EPERM; BPF would do"},
	{caps.Perfmon, caps.SysAdmin, nil,
		"measuring the kernel or other processes fails with EACCES; PERFMON would do"},
	{caps.CheckpointRestore, caps.SysAdmin, nil,
		"choosing a process's number or restoring its state fails with EPERM; CHECKPOINT_RESTORE " +
			"would do"},
}

// All judges checks that were recorded together, and returns the verdicts in the checks' order.
func All(checks []dropcap.KernelCheck) []Verdict {
	denied, granted := countsOf(checks)
	list := make([]Verdict, len(checks))
	for i, c := range checks {
		list[i] = Of(c)
		if c.Granted && list[i].Class.Keeps() {
			list[i] = paired(c, list[i], denied, granted)
		}
	}
	return list
}

// countsOf sums up how often each was denied and granted at each place.
func countsOf(checks []dropcap.KernelCheck) (denied, granted map[site]uint64) {
	type key struct {
		place          site
		granted, spent bool
	}
	each := map[key]uint64{} // by the kernel's keys, of which a place may have several
	for _, c := range checks {
		if k := (key{siteOf(c, c.Cap), c.Granted, c.Spent}); c.CountShared {
			each[k] = max(each[k], c.Count)
		} else {
			each[k] += c.Count
		}
	}
	denied, granted = map[site]uint64{}, map[site]uint64{}
	for k, n := range each {
		if k.granted {
			granted[k.place] += n
		} else {
			denied[k.place] += n
		}
	}
	return denied, granted
}

// paired makes a verdict an alternative if the check is the second of a pair, unless some of the
// checks came without a denied first one, which their number shows.
func paired(c dropcap.KernelCheck, v Verdict, denied, granted map[site]uint64) Verdict {
	p := pathOf(c.Frames)
	for _, pair := range pairs {
		i := p.asker()
		if pair.second != c.Cap || i == len(p.names) ||
			len(pair.at) > 0 && !slices.Contains(pair.at, p.names[i]) {
			continue
		}
		if n := denied[siteOf(c, pair.first)]; n > 0 && n == granted[siteOf(c, c.Cap)] {
			v.Class, v.Or, v.Because = dropcap.Alternative, caps.Of(pair.first), pair.because
			v.Rule += "-pair"
			return v
		}
	}
	return v
}

// site is where checks of a pair meet: all that the kernel's counts are keyed by, except the
// outcome.
type site struct {
	cgroup     uint64
	cap        caps.Cap
	ownCred    bool
	reach      dropcap.Reach
	arg        dropcap.Arg
	syscall    string
	exe        dropcap.Executable
	origin     string
	phase      string
	path       string
	keyWide    bool
	notForRoot bool
}

// siteOf leaves out the path if a count covers not one path but all under a key.
func siteOf(c dropcap.KernelCheck, about caps.Cap) site {
	p := site{
		cgroup: c.Cgroup, cap: about, ownCred: c.OwnCred, reach: c.Reach, arg: c.Arg,
		syscall: c.Syscall, exe: c.Exe, origin: c.Origin,
		phase: c.Phase, keyWide: c.CountShared, notForRoot: c.UID != 0,
	}
	if !c.CountShared {
		p.path = strings.Join(c.Frames, " ")
	}
	return p
}
