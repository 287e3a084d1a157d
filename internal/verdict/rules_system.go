package verdict

import (
	"dropcap"
	"dropcap/caps"
)

// systemRules are about the system as a whole: mounts, namespaces, time, modules, logs, tracing.
var systemRules = []Rule{
	{
		Name: "mount", Caps: caps.Of(caps.SysAdmin), At: []string{
			"may_mount", "path_mount", "do_mount", "path_umount", "ksys_umount", "sys_mount",
			"sys_umount", "sys_oldumount", "sys_pivot_root", "sys_fsopen",
			"sys_fsmount", "sys_open_tree", "sys_move_mount", "sys_mount_setattr", "sys_fspick",
			"can_umount", "vfs_open_tree", "mount_capable", "sget_fc",
			"do_new_mount", "vfs_get_tree", "reconfigure_super", "do_remount",
		},
		Class: dropcap.Decisive, Because: "mounting or unmounting fails with EPERM",
		Source: "fs/namespace.c may_mount, inlined in path_mount, path_umount and the new mount " +
			"calls; fs/super.c mount_capable",
	},
	{
		Name: "namespace", Caps: caps.Of(caps.SysAdmin, caps.SysChroot), At: []string{
			"copy_namespaces", "unshare_nsproxy_namespaces", "create_user_ns", "mntns_install",
			"utsns_install", "ipcns_install", "netns_install", "pidns_install",
			"cgroupns_install", "timens_install", "userns_install", "validate_ns", "validate_nsset",
			"copy_cgroup_ns", "sys_setns",
		},
		Class: dropcap.Decisive, Because: "making or entering a namespace fails with EPERM",
		Source: "kernel/nsproxy.c copy_namespaces, unshare_nsproxy_namespaces; the namespaces' " +
			"install functions",
	},
	{
		Name: "host-name", Caps: caps.Of(caps.SysAdmin), At: []string{"sys_sethostname",
			"sys_setdomainname"},
		Class: dropcap.Decisive, Because: "setting the host's or domain's name fails with EPERM",
		Source: "kernel/sys.c sethostname, setdomainname",
	},
	{
		Name: "administration", Caps: caps.Of(caps.SysAdmin), At: []string{
			"sys_swapon", "sys_swapoff", "sys_quotactl", "check_quotactl_permission", "do_quotactl",
			"tty_ioctl", "tiocsti", "tiocsctty", "tty_jobctrl_ioctl", "tiocswinsz",
			"sys_lookup_dcookie", "alloc_empty_file", "prctl_set_mm_exe_file", "sys_bdflush",
			"sys_keyctl", "keyctl_chown_key", "keyctl_setperm_key",
		},
		Class: dropcap.Decisive, Because: "the system call fails with EPERM",
		Source: "mm/swapfile.c, fs/quota/quota.c, drivers/tty/tty_io.c tiocsti, fs/file_table.c " +
			"alloc_empty_file: asked last",
	},
	{
		Name: "fanotify", Caps: caps.Of(caps.SysAdmin), At: []string{"sys_fanotify_init",
			"sys_fanotify_mark", "do_fanotify_mark"},
		Class:   dropcap.Silent,
		Because: "watching whole file systems fails with EPERM; plain watching goes on with limits",
		Source: "fs/notify/fanotify/fanotify_user.c fanotify_init: without it unprivileged since " +
			"5.13, EPERM before",
	},
	{
		Name: "symbols-of-programs", Caps: caps.Of(caps.BPF, caps.SysAdmin),
		At:      []string{"bpf_prog_kallsyms_add"},
		Class:   dropcap.Advisory,
		Because: "it only names the loaded program in the kernel's list of symbols",
		Source:  "kernel/bpf/core.c bpf_prog_kallsyms_add",
	},
	{
		Name: "bpf", Caps: caps.Of(caps.BPF, caps.Perfmon), Syscalls: []string{"bpf"},
		When: "by user 0", when: byRoot,
		Class: dropcap.Alternative, Or: caps.Of(caps.SysAdmin),
		Because: "loading programs or making maps fails with EPERM, or programs are refused; " +
			"SYS_ADMIN would do",
		Source: "include/linux/capability.h bpf_capable, perfmon_capable, since 5.8; " +
			"kernel/bpf/token.c bpf_token_capable, since 6.9",
	},
	{
		Name: "bpf-admin", Caps: caps.Of(caps.BPF, caps.Perfmon, caps.SysAdmin, caps.NetAdmin),
		Syscalls: []string{"bpf"},
		Class:    dropcap.Decisive,
		Because:  "loading programs, making maps or attaching them fails with EPERM",
		Source:   "kernel/bpf/syscall.c __sys_bpf; SYS_ADMIN alone before 5.8",
	},
	{
		Name: "perf", Caps: caps.Of(caps.Perfmon), Syscalls: []string{"perf_event_open"},
		When: "by user 0", when: byRoot,
		Class: dropcap.Alternative, Or: caps.Of(caps.SysAdmin),
		Because: "measuring the kernel or other processes fails with EACCES; SYS_ADMIN would do",
		Source:  "include/linux/capability.h perfmon_capable, since 5.8",
	},
	{
		Name: "perf-admin", Caps: caps.Of(caps.Perfmon, caps.SysAdmin),
		Syscalls: []string{"perf_event_open"},
		Class:    dropcap.Decisive,
		Because:  "measuring the kernel or other processes fails with EACCES",
		Source:   "kernel/events/core.c; SYS_ADMIN alone before 5.8",
	},
	{
		Name: "time", Caps: caps.Of(caps.SysTime), At: []string{
			"cap_settime", "security_settime64", "do_adjtimex", "timekeeping_validate_timex",
			"__do_adjtimex", "rtc_dev_ioctl", "posix_clock_ioctl",
			"do_sys_settimeofday64", "ntp_validate_timex", "process_adjtimex_modes",
		},
		Class: dropcap.Decisive, Because: "setting or slewing the clock fails with EPERM",
		Source: "security/commoncap.c cap_settime; kernel/time/timekeeping.c " +
			"timekeeping_validate_timex: only to change something",
	},
	{
		Name: "module", Caps: caps.Of(caps.SysModule), At: []string{"may_init_module",
			"sys_init_module", "sys_finit_module", "sys_delete_module", "init_module_from_file"},
		Class: dropcap.Decisive, Because: "loading or unloading a kernel module fails with EPERM",
		Source: "kernel/module/main.c may_init_module, delete_module",
	},
	{
		Name: "reboot", Caps: caps.Of(caps.SysBoot), At: []string{"sys_reboot", "sys_kexec_load",
			"sys_kexec_file_load", "kexec_load_check", "kexec_load_permitted"},
		Class: dropcap.Decisive, Because: "reboot(2) or loading another kernel fails with EPERM",
		Source: "kernel/reboot.c, kernel/kexec.c",
	},
	{
		Name: "log", Caps: caps.Of(caps.Syslog, caps.SysAdmin),
		At:    []string{"check_syslog_permissions", "do_syslog", "sys_syslog", "devkmsg_open"},
		Class: dropcap.Decisive, Because: "reading or clearing the kernel's log fails with EPERM",
		Source: "kernel/printk/printk.c check_syslog_permissions: asked where " +
			"kernel.dmesg_restrict or the action requires it",
	},
	{
		Name: "modules-list", Caps: caps.Of(caps.Syslog), At: []string{"kallsyms_show_value"},
		Under:   []string{"modules_open"},
		Class:   dropcap.Advisory,
		Because: "/proc/modules only shows zeros for the modules' addresses",
		Source: "kernel/module/procfs.c modules_open, kernel/kallsyms.c kallsyms_show_value: " +
			"asked without audit",
	},
	{
		Name: "kernel-symbols", Caps: caps.Of(caps.Syslog), At: []string{"kallsyms_show_value",
			"kallsyms_open", "has_syslog_capability", "restricted_pointer"},
		Class: dropcap.Silent,
		Because: "/proc/kallsyms shows zeros for all addresses, which blinds programs that trace " +
			"the kernel",
		Source: "kernel/ksyms_common.c kallsyms_show_value (kallsyms.c before 6.6): it alone " +
			"decides, though asked without audit",
	},
	{
		Name: "hardware", Caps: caps.Of(caps.SysRawio), At: []string{
			"sys_iopl", "sys_ioperm", "ioperm", "open_port", "open_mem", "memory_open",
			"cap_mmap_addr", "ioctl_fibmap",
			"file_ioctl", "do_vfs_ioctl",
		},
		Class: dropcap.Decisive,
		Because: "access to ports, physical memory, the lowest addresses or block numbers fails " +
			"with EPERM",
		Source: "arch/x86/kernel/ioport.c, drivers/char/mem.c open_port, security/commoncap.c " +
			"cap_mmap_addr, fs/ioctl.c ioctl_fibmap, inlined in do_vfs_ioctl on 6.18",
	},
	{
		Name: "terminal", Caps: caps.Of(caps.SysTtyConfig), At: []string{"sys_vhangup"},
		Class: dropcap.Decisive, Because: "vhangup(2) fails with EPERM",
		Source: "fs/open.c vhangup",
	},
	{
		Name: "accounting", Caps: caps.Of(caps.SysPacct), At: []string{"sys_acct"},
		Class: dropcap.Decisive, Because: "acct(2) fails with EPERM",
		Source: "kernel/acct.c acct",
	},
	{
		Name: "wake", Caps: caps.Of(caps.WakeAlarm), At: []string{"sys_timerfd_create",
			"do_timerfd_settime", "alarm_timer_create", "timerfd_create", "sys_timer_create"},
		Class: dropcap.Decisive, Because: "a timer that wakes the machine fails with EPERM",
		Source: "fs/timerfd.c timerfd_create, kernel/time/alarmtimer.c alarm_timer_create",
	},
	{
		Name: "stay-awake", Caps: caps.Of(caps.BlockSuspend),
		At:      []string{"ep_take_care_of_epollwakeup", "do_epoll_ctl", "sys_epoll_ctl"},
		Class:   dropcap.Silent,
		Because: "EPOLLWAKEUP is silently left out, so that the machine may sleep",
		Source:  "include/uapi/linux/eventpoll.h ep_take_care_of_epollwakeup",
	},
}
