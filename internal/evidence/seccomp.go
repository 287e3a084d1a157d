package evidence

import (
	"fmt"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// SiteSeccomp stands for the kernel's function in needs that come from a seccomp profile.
const SiteSeccomp = "seccomp"

// coupled are the system calls that Docker's profile allows only with a capability, and for which
// the kernel itself does not always check a capability (moby profiles/seccomp/default_linux.go):
// without the capability they fail with EPERM or ENOSYS before any check. Privileged uses of calls
// such as chroot(2), mount(2) or bpf(2) are not listed: where the profile allows them, the kernel
// checks, and the check is seen.
var coupled = []struct {
	cap   caps.Cap
	calls []string
	kept  bool // the capability is added for this, and harmless enough to be kept unseen
}{
	{caps.SysPtrace, []string{"kcmp", "pidfd_getfd", "process_vm_readv", "process_vm_writev"},
		false},
	{caps.SysAdmin, []string{"clone", "clone3", "fanotify_init", "perf_event_open", "setns",
		"unshare"}, false},
	{caps.SysNice, []string{"get_mempolicy", "mbind", "set_mempolicy"}, true},
	{caps.Perfmon, []string{"perf_event_open"}, false},
}

// Seccomp returns what a container under Docker's profile, or one derived from it, may need of what
// it holds without a check that shows it. A need of class advisory keeps nothing; the confidence
// mentions what could not be seen.
func Seccomp(held caps.Set) []dropcap.Need {
	list := []dropcap.Need{}
	for _, c := range coupled {
		if !held.Has(c.cap) {
			continue
		}
		n := dropcap.Need{
			Cap: c.cap, Outcome: dropcap.Granted, Class: dropcap.Advisory,
			By: []dropcap.By{{Site: SiteSeccomp, Phase: dropcap.PhaseRun}},
			Because: fmt.Sprintf("%s: the seccomp profile lets %s through only with it, and no "+
				"check shows their use: try without", c.cap.Short(), calls(c.calls)),
		}
		if c.kept {
			n.Class = dropcap.Static
			n.Because = fmt.Sprintf("the seccomp profile lets %s through only with it, and no "+
				"check shows their use", calls(c.calls))
		}
		list = append(list, n)
	}
	return list
}

func calls(names []string) string { return strings.Join(names, ", ") }

// coupling reports whether a need only states what a profile hides.
func coupling(n dropcap.Need) bool {
	return n.Class == dropcap.Advisory && len(n.By) == 1 && n.By[0].Site == SiteSeccomp
}
