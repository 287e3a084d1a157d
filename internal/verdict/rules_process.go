package verdict

import (
	"dropcap"
	"dropcap/caps"
)

// processRules are about other processes and a process's own privileges.
var processRules = []Rule{
	{
		Name: "kill", Caps: caps.Of(caps.Kill), At: []string{"kill_ok_by_cred",
			"check_kill_permission"},
		Class: dropcap.Decisive, Because: "signals to another user's processes fail with EPERM",
		Try: "who is told to end often ends by other means, or at the end of the grace " +
			"period: try a reload and a stop",
		Source: "kernel/signal.c kill_ok_by_cred: asked last",
	},
	{
		Name: "proc-stat", Caps: caps.Of(caps.SysPtrace), Under: []string{"do_task_stat"},
		Class:   dropcap.Advisory,
		Because: "/proc/PID/stat only shows zeros for the addresses of another user's process",
		Source:  "fs/proc/array.c do_task_stat: asked without audit",
	},
	{
		Name: "ptrace", Caps: caps.Of(caps.SysPtrace), At: []string{
			"__ptrace_may_access", "ptrace_may_access", "ptrace_has_cap", "cap_ptrace_access_check",
			"cap_ptrace_traceme", "yama_ptrace_access_check",
			"yama_ptrace_traceme", "ptracer_access_allowed",
		},
		Class: dropcap.Decisive,
		Because: "looking into or tracing another user's or a more privileged process fails with " +
			"EPERM or EACCES",
		Source: "kernel/ptrace.c __ptrace_may_access; security/commoncap.c " +
			"cap_ptrace_access_check; PERFMON would do for reading memory on 6.18 (kernel/fork.c " +
			"may_access_mm)",
	},
	{
		Name: "userfaultfd", Caps: caps.Of(caps.SysPtrace), At: []string{"sys_userfaultfd",
			"userfaultfd_syscall_allowed", "new_userfaultfd"},
		Class:   dropcap.Decisive,
		Because: "userfaultfd(2) for faults in the kernel fails with EPERM",
		Source: "fs/userfaultfd.c userfaultfd_syscall_allowed; asked where " +
			"vm.unprivileged_userfaultfd is 0",
	},
	{
		Name: "priority", Caps: caps.Of(caps.SysNice), At: []string{
			"can_nice", "set_one_prio", "set_one_prio_perm", "sys_nice",
			"user_check_sched_setscheduler", "__sched_setscheduler", "sched_setscheduler",
			"sched_setaffinity", "set_task_ioprio", "ioprio_check_cap", "sys_sched_setaffinity",
			"sys_sched_setattr",
		},
		Class: dropcap.Decisive,
		Because: "raising a priority, or changing the scheduling of another user's process, " +
			"fails with EPERM or EACCES",
		Source: "kernel/sched/syscalls.c (core.c before 6.11); __sched_setscheduler asks last " +
			"since 6.0 and first before, where it may not matter",
	},
	{
		Name: "io-priority", Caps: caps.Of(caps.SysAdmin), At: []string{"ioprio_check_cap",
			"sys_ioprio_set"},
		Class: dropcap.Decisive,
		Because: "the real-time class of input and output fails with EPERM, unless SYS_NICE is " +
			"there",
		Source: "block/ioprio.c ioprio_check_cap; SYS_NICE would do too since 5.15",
	},
	{
		Name: "migrate-pages", Caps: caps.Of(caps.SysNice), At: []string{"kernel_migrate_pages",
			"sys_migrate_pages"},
		Class: dropcap.Silent,
		Because: "migrate_pages(2) leaves pages that are shared with others where they are, or " +
			"fails with EPERM for foreign nodes",
		Source: "mm/mempolicy.c kernel_migrate_pages: asked for the nodes, and again to choose " +
			"MPOL_MF_MOVE_ALL",
	},
	{
		Name: "move-memory", Caps: caps.Of(caps.SysNice), At: []string{"kernel_move_pages",
			"kernel_mbind", "do_mbind", "sys_move_pages", "sys_mbind"},
		Class:   dropcap.Decisive,
		Because: "moving pages that are shared with other processes fails with EPERM",
		Source:  "mm/mempolicy.c do_mbind, mm/migrate.c kernel_move_pages: for MPOL_MF_MOVE_ALL",
	},
	{
		Name: "inherit-within", Caps: caps.Of(caps.Setpcap),
		At:    []string{"cap_capset", "cap_inh_is_capped", "security_capset"},
		When:  "the inheritable set that is asked for is within the task's own sets",
		when:  arg(dropcap.ArgInheritWithin),
		Class: dropcap.Advisory,
		Because: "every capset(2) asks for it, and this one does not go beyond the sets that the " +
			"process has",
		Source: "security/commoncap.c cap_inh_is_capped",
	},
	{
		Name: "inherit-more", Caps: caps.Of(caps.Setpcap),
		At:    []string{"cap_capset", "cap_inh_is_capped", "security_capset"},
		When:  "the inheritable set that is asked for is beyond the task's own sets",
		when:  arg(dropcap.ArgInheritMore),
		Class: dropcap.Decisive, Because: "adding to the inheritable set fails with EPERM",
		Source: "security/commoncap.c cap_inh_is_capped",
	},
	{
		Name: "capset", Caps: caps.Of(caps.Setpcap), At: []string{"cap_capset", "cap_inh_is_capped",
			"security_capset"},
		Class: dropcap.UnknownNeed,
		Because: "every capset(2) asks for it; it matters only if the inheritable set grows " +
			"beyond the permitted one",
		Source: "security/commoncap.c cap_inh_is_capped",
	},
	{
		Name: "own-sets", Caps: caps.Of(caps.Setpcap),
		At:    []string{"cap_task_prctl", "cap_prctl_drop", "security_task_prctl"},
		Class: dropcap.Decisive,
		Because: "giving up capabilities of the bounding set, or setting secure bits, fails with " +
			"EPERM",
		Source: "security/commoncap.c cap_prctl_drop, cap_task_prctl: PR_CAPBSET_DROP, " +
			"PR_SET_SECUREBITS",
	},
	{
		Name: "filter", Caps: caps.Of(caps.SysAdmin),
		At: []string{"do_seccomp", "seccomp_prepare_filter", "seccomp_set_mode_filter",
			"prctl_set_seccomp", "sys_seccomp"},
		Class:   dropcap.Decisive,
		Because: "installing a seccomp filter without no_new_privs fails with EACCES",
		Source: "kernel/seccomp.c seccomp_prepare_filter: asked without audit, and only without " +
			"no_new_privs",
	},
	{
		Name: "landlock", Caps: caps.Of(caps.SysAdmin), At: []string{"sys_landlock_restrict_self"},
		Class:   dropcap.Decisive,
		Because: "landlock_restrict_self(2) without no_new_privs fails with EPERM",
		Source:  "security/landlock/syscalls.c: asked without audit, and only without no_new_privs",
	},
	{
		Name: "choose-pid", Caps: caps.Of(caps.CheckpointRestore),
		At: []string{"alloc_pid", "copy_process", "proc_pid_get_link", "map_files_get_link",
			"prctl_set_mm_exe_file", "sys_prctl"},
		When: "by user 0", when: byRoot,
		Class: dropcap.Alternative, Or: caps.Of(caps.SysAdmin),
		Because: "choosing a process's number or restoring its state fails with EPERM; SYS_ADMIN " +
			"would do",
		Source: "include/linux/capability.h checkpoint_restore_ns_capable, since 5.9",
	},
}

// limitRules are about limits on resources.
var limitRules = []Rule{
	{
		Name: "rlimit", Caps: caps.Of(caps.SysResource),
		At: []string{"do_prlimit", "check_prlimit_permission", "sys_prlimit64",
			"sys_setrlimit"},
		Class:   dropcap.Decisive,
		Because: "raising a hard limit, or changing another user's limits, fails with EPERM",
		Source: "kernel/sys.c do_prlimit: asked only if the hard limit grows; " +
			"check_prlimit_permission",
	},
	{
		Name: "oom-score", Caps: caps.Of(caps.SysResource),
		At:    []string{"__set_oom_adj", "oom_score_adj_write", "oom_adj_write"},
		Class: dropcap.Silent, Because: "lowering oom_score_adj fails with EACCES; raising it no " +
			"longer sets the least value for later",
		Source: "fs/proc/base.c __set_oom_adj: asked twice, once for an error and once for the " +
			"new least value",
	},
	{
		Name: "limits", Caps: caps.Of(caps.SysResource), At: []string{"pipe_fcntl", "pipe_set_size",
			"prctl_set_mm", "prctl_set_mm_map", "prctl_set_mm_exe_file", "msgctl_down",
			"copy_process"},
		Class: dropcap.Decisive,
		Because: "going beyond a limit (a pipe's size, a queue's size, the number of processes) " +
			"fails with EPERM or EAGAIN",
		Source: "fs/pipe.c pipe_set_size, kernel/sys.c prctl_set_mm, ipc/msg.c msgctl_down, " +
			"kernel/fork.c copy_process: asked last",
	},
	{
		Name: "lock-memory", Caps: caps.Of(caps.IpcLock), At: []string{
			"can_do_mlock", "do_mlock", "sys_mlockall", "mlock_future_check", "user_shm_lock",
			"perf_mmap", "vma_to_resize", "acct_stack_growth",
		},
		Class:   dropcap.Decisive,
		Because: "locking more memory than RLIMIT_MEMLOCK allows fails with ENOMEM or EPERM",
		Source:  "mm/mlock.c do_mlock, can_do_mlock; mm/mmap.c mlock_future_check: asked last",
	},
	{
		Name: "ring-memory", Caps: caps.Of(caps.IpcLock),
		At:      []string{"io_uring_setup", "io_uring_create", "sys_io_uring_setup"},
		Class:   dropcap.Silent,
		Because: "memory of io_uring is then counted against RLIMIT_MEMLOCK, and may not suffice",
		Source:  "io_uring/io_uring.c io_uring_create",
	},
	{
		Name: "map-locked", Caps: caps.Of(caps.IpcLock), At: []string{"mlock_future_ok", "do_mmap",
			"do_brk_flags", "mremap_to", "check_prep_vma", "vrm_calc_charge"},
		Class: dropcap.UnknownNeed,
		Because: "mapping locked memory beyond RLIMIT_MEMLOCK fails with EAGAIN; it is asked " +
			"before the limit",
		Source: "mm/mmap.c mlock_future_ok (6.4): asked first",
	},
	{
		Name: "ipc-lock", Caps: caps.Of(caps.IpcLock),
		At:    []string{"shmctl_do_lock", "hugetlb_file_setup", "can_do_hugetlb_shm"},
		Class: dropcap.UnknownNeed,
		Because: "locking shared memory or using huge pages may fail with EPERM; it is asked " +
			"before owner, group and limit",
		Source: "ipc/shm.c shmctl_do_lock, fs/hugetlbfs/inode.c can_do_hugetlb_shm: asked first",
	},
	{
		Name: "ipc", Caps: caps.Of(caps.IpcOwner), At: []string{"ipcperms"},
		Class:   dropcap.Decisive,
		Because: "using another user's shared memory, semaphores or queues fails with EACCES",
		Source:  "ipc/util.c ipcperms: asked last",
	},
	{
		Name: "ipc-owner", Caps: caps.Of(caps.SysAdmin), At: []string{"ipcctl_obtain_check",
			"ipcctl_pre_down_nolock"},
		Class: dropcap.Decisive,
		Because: "changing or removing another user's shared memory, semaphores or queues fails " +
			"with EPERM",
		Source: "ipc/util.c ipcctl_obtain_check: asked last",
	},
}
