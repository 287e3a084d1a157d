package verdict

import (
	"strings"

	"dropcap"
	"dropcap/caps"
)

// every is the set of all capabilities that a mask can hold.
const every = ^caps.Set(0)

// generalRules come first: they match checks that do not concern the container's capabilities at
// all.
var generalRules = []Rule{
	{
		Name: "beyond", Caps: every,
		When: "denied, and the namespace asked about is above or beside the container's own",
		when: func(c dropcap.KernelCheck, _ path) bool {
			return c.Reach == dropcap.ReachBeyond && !c.Granted
		},
		Class: dropcap.Ungrantable,
		Because: "the kernel asks about another user namespace, where no capability of the " +
			"container counts",
		Source: "security/commoncap.c cap_capable: the walk over levels ends below the namespace " +
			"asked about",
	},
	{
		Name: "nested", Caps: every,
		When:  "by a process in a user namespace that the container has made itself",
		when:  func(c dropcap.KernelCheck, _ path) bool { return c.Reach == dropcap.ReachNested },
		Class: dropcap.Ungrantable,
		Because: "whoever makes a user namespace has every capability in it, whatever the " +
			"container holds",
		Source: "kernel/user_namespace.c create_user_ns: set_cred_user_ns",
	},
	{
		Name: "looked", Caps: every, Syscalls: []string{"prctl"},
		When:  "PR_CAPBSET_READ of one that is in the bounding set",
		when:  arg(dropcap.ArgLook, true),
		Class: dropcap.Inspected,
		Because: "the program asks whether it is in the bounding set, and goes another way where " +
			"it is not",
		Try: "it looks in order to go another way where it must",
		Source: "security/commoncap.c cap_task_prctl; of a program that asks for all of them, or " +
			"for the last that there is, no single one is believed",
	},
	{
		Name: "looked-in-vain", Caps: every, Syscalls: []string{"prctl"},
		When: "PR_CAPBSET_READ of one that is not", when: arg(dropcap.ArgLook),
		Class:   dropcap.Advisory,
		Because: "the program asks whether it is in the bounding set, and has gone its other way",
		Source:  "security/commoncap.c cap_task_prctl",
	},
	{
		Name: "ambient", Caps: every, Syscalls: []string{"prctl"}, When: "PR_CAP_AMBIENT_RAISE",
		when:  arg(dropcap.ArgAmbient),
		Class: dropcap.Decisive,
		Because: "raising it to the ambient set fails with EPERM, and what the program starts " +
			"then lacks it",
		Source: "security/commoncap.c cap_task_prctl: it must be permitted and inheritable, and " +
			"no check is made",
	},
	{
		Name: "overlay", Caps: every,
		When: "other credentials than the task's, below overlayfs; not the first check of " +
			"ovl_permission and ovl_setattr, which is the caller's (access(2) asks as the real " +
			"user)",
		when:  func(c dropcap.KernelCheck, p path) bool { return !c.OwnCred && p.belowOverlay() },
		Class: dropcap.Advisory,
		Because: "overlayfs asks with the credentials of whoever mounted it, not with the " +
			"container's",
		Source: "fs/overlayfs: ovl_override_creds around every operation on the layers, since 3.18",
	},
	{
		Name: "overcommit", Caps: caps.Of(caps.SysAdmin),
		Under: []string{"security_vm_enough_memory_mm", "cap_vm_enough_memory"},
		Class: dropcap.Advisory,
		Because: "every mapping asks for it, only to open the last memory that is reserved for " +
			"administrators",
		Source: "security/commoncap.c cap_vm_enough_memory; mm/util.c __vm_enough_memory: " +
			"admin_reserve_kbytes",
	},
	{
		Name: "jit", Caps: caps.Of(caps.SysAdmin), At: []string{"do_jit", "bpf_int_jit_compile",
			"build_epilogue", "build_bhb_mitigation", "emit_spectre_bhb_barrier"},
		Class: dropcap.Advisory,
		Because: "the compiler of a filter only leaves out a barrier against speculation for " +
			"administrators",
		Source: "arch/x86/net/bpf_jit_comp.c do_jit, arch/arm64/net/bpf_jit_comp.c " +
			"build_bhb_mitigation; 6.15 and stable kernels since May 2025",
	},
}

// belowOverlay reports whether overlayfs switched to the mounter's credentials on this path.
// ovl_permission and ovl_setattr first check with the caller's credentials, and then continue with
// the layer's inode_permission and notify_change under the mounter's.
func (p path) belowOverlay() bool {
	for i, n := range p.names {
		switch {
		case n == "ovl_permission" || n == "ovl_setattr":
			return p.hasBefore(i, "inode_permission", "__inode_permission", "do_inode_permission",
				"notify_change")
		case strings.HasPrefix(n, "ovl_"):
			return true
		}
	}
	return false
}

func (p path) hasBefore(i int, names ...string) bool {
	return path{names: p.names[:i]}.has(names...)
}

// idRules are about changing users and groups (kernel/sys.c).
var idRules = []Rule{
	{
		Name: "set-current", Caps: caps.Of(caps.Setuid, caps.Setgid),
		At:   []string{"sys_setuid", "sys_setgid", "sys_setresuid", "sys_setresgid"},
		When: "the ids are those that the task has", when: arg(dropcap.ArgCurrent),
		Class:   dropcap.Advisory,
		Because: "the call sets the ids that the process has already, which it may do without",
		Source:  "kernel/sys.c __sys_setuid asks first; __sys_setresuid too, up to 6.1",
	},
	{
		Name: "set-saved", Caps: caps.Of(caps.Setuid, caps.Setgid),
		At:   []string{"sys_setuid", "sys_setgid", "sys_setresuid", "sys_setresgid"},
		When: "the ids are real or saved ones", when: arg(dropcap.ArgSaved),
		Class: dropcap.Silent, Because: "the call succeeds without it, but changes the effective " +
			"id only, so that privileges can be regained",
		Source: "kernel/sys.c __sys_setuid",
	},
	{
		Name: "setuid", Caps: caps.Of(caps.Setuid), At: []string{"sys_setuid", "sys_setreuid",
			"sys_setresuid"},
		Class: dropcap.Decisive, Because: "changing to another user fails with EPERM",
		Source: "kernel/sys.c __sys_setuid, __sys_setreuid, __sys_setresuid",
	},
	{
		Name: "setgid", Caps: caps.Of(caps.Setgid), At: []string{"sys_setgid", "sys_setregid",
			"sys_setresgid"},
		Class: dropcap.Decisive, Because: "changing to another group fails with EPERM",
		Source: "kernel/sys.c __sys_setgid, __sys_setregid, __sys_setresgid",
	},
	{
		Name: "setfsid", Caps: caps.Of(caps.Setuid, caps.Setgid),
		At:      []string{"sys_setfsuid", "sys_setfsgid"},
		Class:   dropcap.Silent,
		Because: "files are then opened as the old user, and the call does not say so",
		Source:  "kernel/sys.c __sys_setfsuid, __sys_setfsgid: asked last, never an error",
	},
	{
		Name: "setgroups", Caps: caps.Of(caps.Setgid),
		At:      []string{"may_setgroups", "sys_setgroups", "sys_setgroups16"},
		Class:   dropcap.Decisive,
		Because: "setting the supplementary groups fails with EPERM, whatever they are",
		Source:  "kernel/groups.c may_setgroups",
	},
	{
		Name: "claim-ids", Caps: caps.Of(caps.Setuid, caps.Setgid, caps.SysAdmin),
		At:      []string{"scm_check_creds", "__scm_send"},
		Class:   dropcap.Decisive,
		Because: "passing another process's ids over a Unix socket fails with EPERM",
		Source:  "net/core/scm.c scm_check_creds: asked last",
	},
	{
		Name: "map-ids", Caps: caps.Of(caps.Setuid, caps.Setgid, caps.Setfcap, caps.SysAdmin),
		At:      []string{"map_write", "new_idmap_permitted", "verify_root_map"},
		Class:   dropcap.Decisive,
		Because: "mapping users or groups into a new user namespace fails with EPERM",
		Source:  "kernel/user_namespace.c map_write, new_idmap_permitted; SETFCAP since 5.12",
	},
}

// arg is a condition on the arguments, and on the outcome if one is given.
func arg(want dropcap.Arg, granted ...bool) func(dropcap.KernelCheck, path) bool {
	return func(c dropcap.KernelCheck, _ path) bool {
		return c.Arg == want && (len(granted) == 0 || c.Granted == granted[0])
	}
}

// byRoot reports whether the process belongs to user 0. Only such a process can be assumed to have
// the other capabilities that the container holds; a file capability grants one alone.
func byRoot(c dropcap.KernelCheck, _ path) bool { return c.UID == 0 && c.OwnCred }
