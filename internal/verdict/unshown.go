package verdict

import (
	"dropcap"
	"dropcap/caps"
)

// Limit is one thing that a trial of some capabilities cannot show, since the kernel decides it
// without the hook that denies, or by what the program holds, or a filter made at its creation.
type Limit struct {
	Name string
	Caps caps.Set
	// Beside are the capabilities that hide it: the limit applies only while one of them is held
	// and not tried, too. Empty: always.
	Beside  caps.Set
	Because string // in one sentence
	Source  string // the kernel's file and function, with versions where that matters
}

// Limits are all that is known; docs/trial.md is generated from it. The general ones come first:
// they are the same for each capability.
var Limits = []Limit{
	{
		Name: "exec", Caps: every,
		Because: "a file that carries it as a file capability is still executed; without it in " +
			"the bounding set execve(2) fails with EPERM",
		Source: "security/commoncap.c get_file_caps, bprm_caps_from_vfs_caps: computed from the " +
			"bounding set, which a trial leaves as it is",
	},
	{
		Name: "sets", Caps: every,
		Because: "programs that look at their own sets (capget, PR_CAPBSET_READ, " +
			"/proc/self/status) still see it, and take the way of those who have it",
		Source: "kernel/capability.c capget, security/commoncap.c cap_task_prctl, " +
			"fs/proc/array.c task_cap",
	},
	{
		Name: "passing-on", Caps: every,
		Because: "capset(2) and raising it as ambient still succeed: the kernel compares sets",
		Source:  "security/commoncap.c cap_capset, cap_task_prctl PR_CAP_AMBIENT_RAISE",
	},
	{
		Name: "before", Caps: every,
		Because: "what was opened, bound or changed with it before the trial goes on; only a " +
			"start under the trial shows that",
		Source: "the kernel checks when a file or socket is opened, and not at each use",
	},
	{
		Name: "access", Caps: caps.Of(caps.DacOverride, caps.DacReadSearch),
		Because: "access(2) may answer as if it were held: where it checks other credentials " +
			"than the task's, the trial leaves it alone",
		Source: "fs/open.c do_faccessat: always before 6.3, then only if user, group or sets " +
			"differ (access_need_override_creds)",
	},
	{
		Name: "secure-bits", Caps: caps.Of(caps.Setpcap),
		Because: "setting secure bits, and adding to the inheritable set, do not pass the hook " +
			"and still succeed",
		Source: "security/commoncap.c cap_task_prctl PR_SET_SECUREBITS and cap_inh_is_capped " +
			"call cap_capable themselves; PR_CAPBSET_DROP passes the hook",
	},
	{
		Name: "memory", Caps: caps.Of(caps.SysAdmin),
		Because: "the last part of memory under strict overcommit stays reserved for it",
		Source:  "security/commoncap.c cap_vm_enough_memory calls cap_capable itself",
	},
	{
		Name: "low-addresses", Caps: caps.Of(caps.SysRawio),
		Because: "mapping the lowest addresses does not pass the hook and still succeeds",
		Source:  "security/commoncap.c cap_mmap_addr calls cap_capable itself",
	},
	{
		Name: "symbols", Caps: caps.Of(caps.Syslog),
		Because: "/proc/kallsyms may still show addresses: the credentials of who opened it are " +
			"checked, which need not be the reader's own",
		Source: "kernel/ksyms_common.c kallsyms_show_value (kallsyms.c before 6.6)",
	},
	{
		Name: "mapping-ids", Caps: caps.Of(caps.Setuid, caps.Setgid, caps.SysAdmin),
		Because: "writing the id maps of a user namespace also checks the credentials of who " +
			"opened the file, which need not be the writer's own",
		Source: "kernel/user_namespace.c new_idmap_permitted, map_write: file_ns_capable",
	},
	{
		Name: "traced-exec", Caps: caps.Of(caps.SysPtrace),
		Because: "a traced program that executes a set-id file still gets its rights: the " +
			"tracer's credentials are checked in the traced task",
		Source: "security/commoncap.c cap_bprm_creds_from_file, kernel/capability.c " +
			"ptracer_capable",
	},
	{
		Name: "serves", Caps: caps.Of(caps.BPF, caps.Perfmon, caps.CheckpointRestore),
		Beside:  caps.Of(caps.SysAdmin),
		Because: "SYS_ADMIN is asked next and serves as long as it is held and not tried, too",
		Source: "include/linux/capability.h bpf_capable, perfmon_capable, " +
			"checkpoint_restore_ns_capable, since 5.8 and 5.9",
	},
	{
		Name: "serves-log", Caps: caps.Of(caps.Syslog), Beside: caps.Of(caps.SysAdmin),
		Because: "SYS_ADMIN is asked next by syslog(2) on older kernels, and serves as long as " +
			"it is held and not tried, too",
		Source: "kernel/printk/printk.c check_syslog_permissions, until 6.8",
	},
	{
		Name: "serves-files", Caps: caps.Of(caps.DacReadSearch), Beside: caps.Of(caps.DacOverride),
		Because: "DAC_OVERRIDE is asked next for reads and searches, and serves as long as it " +
			"is held and not tried, too",
		Source: "fs/namei.c generic_permission",
	},
	{
		Name: "serves-sockets", Caps: caps.Of(caps.NetRaw), Beside: caps.Of(caps.NetAdmin),
		Because: "NET_ADMIN is asked next for marks of sockets, and serves as long as it is " +
			"held and not tried, too",
		Source: "net/core/sock.c sk_setsockopt, net/ipv4/ip_sockglue.c do_ip_setsockopt",
	},
	{
		Name: "filter", Caps: caps.Of(caps.SysAdmin, caps.SysPtrace, caps.SysNice, caps.Perfmon,
			caps.BPF, caps.Syslog, caps.DacReadSearch, caps.SysChroot, caps.SysTime,
			caps.SysPacct, caps.SysRawio, caps.SysBoot, caps.SysModule, caps.SysTtyConfig),
		Because: "the engine's seccomp filter was made when the container was created, and " +
			"still lets through the system calls that it opens for this capability",
		Source: "moby profiles/seccomp/default_linux.go; no filter is remade while a program runs",
	},
}

// General reports whether the limit is the same for each capability.
func (l Limit) General() bool { return l.Caps == every }

// Unshown returns what a trial of a set cannot show of each capability beyond what is the same for
// all, for a container that holds has.
func Unshown(set, has caps.Set) []dropcap.Unshown {
	list := []dropcap.Unshown{}
	for _, c := range set.List() {
		for _, l := range Limits {
			hidden := !l.Beside.Empty() && (l.Beside & has).Minus(set).Empty()
			if l.Caps.Has(c) && !l.General() && !hidden {
				list = append(list, dropcap.Unshown{Cap: c, Because: l.Because})
			}
		}
	}
	return list
}
