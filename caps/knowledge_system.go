package caps

// knowledgeSystem covers the kernel and the machine.
var knowledgeSystem = []Knowledge{
	{
		Cap: SysAdmin, Severity: Critical,
		Permits: "Most of what root is for: mount and unmount, create and enter namespaces, load " +
			"every kind of BPF program, open " +
			"performance counters, set trusted attributes, drive many devices, and hundreds of " +
			"further checks.",
		Attack: "Where no security module refuses mounts, mounts a version 1 cgroup hierarchy " +
			"and writes a program's path into " +
			"release_agent, which the kernel then runs as root of the host; or, given the host's " +
			"disk as a device, mounts that. It " +
			"takes Docker's masks and read-only mounts off /proc and /sys. With BPF it hooks " +
			"system calls of the whole host and writes " +
			"into the memory of the host's own processes, and that works under AppArmor's " +
			"docker-default too. It also opens old " +
			"parsers in filesystems and the mount calls to kernel bugs.",
		Limits: "Little. Docker's seccomp profile opens mount, unshare, setns, bpf, " +
			"perf_event_open and clone with any namespace as soon " +
			"as it is held. AppArmor's docker-default refuses mount where AppArmor is on; the " +
			"device cgroup still keeps devices " +
			"closed; a host with cgroup version 2 only has no release_agent, and kernel lockdown " +
			"refuses BPF's writes. In a user " +
			"namespace most of it means the container's own objects only. Privileged containers " +
			"lack all of these limits.",
		NeededBy: "Nested container runtimes and image builders, FUSE and mount helpers, systemd " +
			"in a container, some monitoring agents. " +
			"Often one narrower capability does instead: BPF, PERFMON, SYSLOG, " +
			"CHECKPOINT_RESTORE, NET_ADMIN. Mounts can be made by " +
			"the engine (--mount), the host name by --hostname.",
		Without: "mount, umount, setns, sethostname and quotactl fail with EPERM; unshare and " +
			"clone with namespace flags are refused by " +
			"seccomp with EPERM, clone3 with ENOSYS.",
		Sources: []string{
			"capabilities(7)", "CVE-2022-0185", "CVE-2022-0492",
			"kernel/trace/bpf_trace.c bpf_get_probe_write_proto",
			"moby profiles/seccomp default", "moby profiles/apparmor docker-default",
		},
	},
	{
		Cap: SysModule, Severity: Critical,
		Permits: "Load code into the running kernel as a module, and unload modules.",
		Attack: "Builds a module for the host's kernel release and loads it from inside the " +
			"container. Its code runs in the kernel: it " +
			"starts a process outside all namespaces with call_usermodehelper, hides what it " +
			"does, and switches every other guard off.",
		Limits: "No namespace bounds it; in a user namespace the kernel refuses. Docker's " +
			"seccomp profile opens init_module and " +
			"finit_module with it. Only the host's own settings help: signed modules enforced, " +
			"lockdown, or kernel.modules_disabled=1.",
		NeededBy: "Entrypoints that run modprobe for a VPN, a filesystem or iptables. The host " +
			"should load these at boot " +
			"(modules-load.d); then the container needs nothing.",
		Without: "init_module, finit_module and delete_module fail with EPERM; modprobe says " +
			"\"Operation not permitted\".",
		Sources: []string{
			"capabilities(7)", "init_module(2)", "kernel/module/main.c may_init_module",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: SysRawio, Severity: Critical,
		Permits: "Talk to hardware directly: I/O ports (iopl, ioperm on x86), /dev/mem and " +
			"/dev/port, model-specific registers, " +
			"/proc/kcore, raw commands to disks and controllers, memory mappings at low addresses.",
		Attack: "Programs devices through I/O ports below the kernel and everything that it " +
			"enforces: resets or wedges the machine, " +
			"changes PCI configuration, drives an old-style disk controller to read and write " +
			"the disk. Where a raw device was passed " +
			"in, it sends SCSI commands that no file permission sees, or reads the kernel's " +
			"memory. It also maps the zero page, which " +
			"turns some harmless kernel bugs into exploitable ones.",
		Limits: "Docker's seccomp profile opens iopl and ioperm with it. /dev/mem, /dev/port and " +
			"MSR devices stay closed by the device " +
			"cgroup, and /proc/kcore is masked; kernel lockdown (on with secure boot in many " +
			"distributions) refuses ports, memory and " +
			"MSRs. In a user namespace the kernel refuses. Privileged containers have all of it.",
		NeededBy: "Hardware tools (dmidecode from memory, flashrom, hdparm, smartctl for some " +
			"controllers, MSR readers) and old X " +
			"servers. No ordinary service.",
		Without: "iopl and ioperm, the FIBMAP ioctl and opening /dev/mem, MSR devices and " +
			"/proc/kcore fail with EPERM.",
		Sources: []string{
			"capabilities(7)", "arch/x86/kernel/ioport.c ksys_ioperm",
			"drivers/char/mem.c open_port", "fs/proc/kcore.c open_kcore",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: SysBoot, Severity: Medium,
		Permits: "Reboot or halt, and load another kernel to boot into (kexec).",
		Attack: "With kexec a kernel of its own takes the place of the host's; with reboot it " +
			"halts the machine. In a container with its " +
			"own PID namespace reboot only kills that container's first process.",
		Limits: "The PID namespace turns reboot into an end of the container. Docker's seccomp " +
			"profile opens reboot with the capability, " +
			"but not kexec_load and kexec_file_load. With --pid=host it reboots the host; with " +
			"seccomp=unconfined it can kexec, unless " +
			"lockdown or kernel.kexec_load_disabled forbids it.",
		NeededBy: "systemd as the container's init, for an orderly shutdown, can do without. " +
			"Tools that reboot the host (with its PID " +
			"namespace), for example after updates.",
		Without: "reboot and kexec_load fail with EPERM.",
		Sources: []string{
			"capabilities(7)", "reboot(2)", "kernel/pid_namespace.c reboot_pid_ns",
			"kernel/kexec.c kexec_load_check",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: SysTime, Severity: High,
		Permits: "Set and adjust the system clock, and set the hardware clock.",
		Attack: "Moves the clock of the whole host and of every container on it: expired " +
			"certificates and tickets count again or valid " +
			"ones no longer do, one-time codes and schedules go wrong, logs lose their order, " +
			"and clusters that rely on time lose " +
			"their quorum.",
		Limits: "Nothing in the container: no namespace covers the real-time clock. Docker's " +
			"seccomp profile opens clock_settime and " +
			"settimeofday with it. The kernel refuses in a user namespace. A time daemon on the " +
			"host corrects the clock after a while.",
		NeededBy: "Time daemons (chrony, ntpd, ptp4l) that are to steer the host's clock from a " +
			"container. They belong on the host or in " +
			"one trusted container. Setting the time zone needs nothing.",
		Without: "clock_settime, settimeofday and adjtimex that change anything fail with EPERM; " +
			"chronyd refuses to start unless told " +
			"not to steer the clock (-x).",
		Sources: []string{
			"capabilities(7)", "security/commoncap.c cap_settime",
			"kernel/time/timekeeping.c timekeeping_validate_timex",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: SysTtyConfig, Severity: Low,
		Permits: "Hang up the own terminal (vhangup) and configure virtual consoles: fonts, key " +
			"maps, mode, switching.",
		Attack: "With a console of the host passed in, changes its key map so that the next " +
			"person to type enters commands of its " +
			"choice, or locks the console by its mode.",
		Limits: "The device cgroup: an ordinary container has pseudo-terminals only and no " +
			"virtual console. With --device=/dev/tty0 or " +
			"privileged the host's consoles are in reach. Docker's seccomp profile allows " +
			"vhangup only while the capability is held.",
		NeededBy: "Display servers, getty and kiosk programs that own a console.",
		Without:  "vhangup and the ioctls of virtual consoles fail with EPERM.",
		Sources: []string{
			"capabilities(7)", "vhangup(2)", "drivers/tty/vt/vt_ioctl.c",
			"drivers/tty/vt/keyboard.c vt_do_kdsk_ioctl",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: MacOverride, Severity: Low,
		Permits: "Be exempt from mandatory access control as far as the security module honours " +
			"it; in the kernel only Smack does.",
		Attack: "On a host that runs Smack, ignores its labels. AppArmor and SELinux do not " +
			"care about it.",
		Limits: "Hosts with Docker run AppArmor, SELinux or none as a rule, and then it does " +
			"nothing.",
		NeededBy: "No ordinary program.",
		Without:  "On Smack hosts access by label fails with EACCES; elsewhere nothing changes.",
		Sources: []string{
			"capabilities(7)", "security/smack/smack_access.c smk_curacc",
		},
	},
	{
		Cap: MacAdmin, Severity: Medium,
		Permits: "Change the policy of the security module: load and replace AppArmor profiles, " +
			"change Smack rules, set SELinux labels " +
			"that the policy does not know.",
		Attack: "Where it can reach securityfs, replaces the profile that confines it by one " +
			"that permits everything: one lock less " +
			"before the next step.",
		Limits: "An ordinary container has no securityfs, mounting it needs SYS_ADMIN, and " +
			"AppArmor's docker-default denies " +
			"/sys/kernel/security. On SELinux the policy itself decides about nearly everything. " +
			"In a user namespace it counts for " +
			"AppArmor only inside a policy namespace of its own.",
		NeededBy: "Tools that load profiles for others (apparmor_parser, nested engines such as " +
			"Docker in Docker or LXD).",
		Without: "Loading a profile fails with EPERM or EACCES; nested engines run their " +
			"containers unconfined or not at all.",
		Sources: []string{
			"capabilities(7)", "security/apparmor/policy.c aa_may_manage_policy",
			"security/selinux/hooks.c selinux_inode_setxattr",
			"moby profiles/apparmor docker-default",
		},
	},
	{
		Cap: Syslog, Severity: Medium,
		Permits: "Read and clear the kernel's log, and see kernel addresses that " +
			"kernel.kptr_restrict=1 hides.",
		Attack: "Reads the host's kernel log, with messages about its devices, firewall and " +
			"other containers' crashes, and clears it " +
			"behind itself. Kernel addresses from the log and /proc/kallsyms undo address " +
			"randomisation, the first step of most kernel " +
			"exploits.",
		Limits: "The log is not divided by namespaces. Docker's seccomp profile opens syslog(2) " +
			"with it; kptr_restrict=2 hides addresses " +
			"from everybody. In a user namespace the kernel refuses.",
		NeededBy: "dmesg and log collectors that read the kernel's log, profilers that resolve " +
			"kernel symbols. A program's own messages " +
			"to a syslog daemon need nothing.",
		Without: "syslog(2) (dmesg) fails with EPERM, always in Docker because of seccomp, and " +
			"so does opening /proc/kmsg; " +
			"/proc/kallsyms shows zeros for addresses.",
		Sources: []string{
			"capabilities(7)", "syslog(2)", "kernel/printk/printk.c check_syslog_permissions",
			"kernel/kallsyms.c kallsyms_show_value",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: WakeAlarm, Severity: Low,
		Permits: "Set timers that wake the machine from suspend.",
		Attack:  "Wakes a suspended laptop or device again and again, to drain its battery.",
		Limits: "Means nothing on servers, which do not suspend. The kernel asks in the first " +
			"user namespace.",
		NeededBy: "Mobile and embedded software. No ordinary service.",
		Without: "timer_create and timerfd_create with CLOCK_REALTIME_ALARM or " +
			"CLOCK_BOOTTIME_ALARM fail with EPERM.",
		Sources: []string{
			"capabilities(7)", "timerfd_create(2)", "kernel/time/alarmtimer.c alarm_timer_create",
		},
	},
	{
		Cap: BlockSuspend, Severity: Low,
		Permits: "Keep the machine from suspending (EPOLLWAKEUP, /sys/power/wake_lock).",
		Attack:  "Keeps a device awake to drain its battery.",
		Limits: "Means nothing on servers, which do not suspend; /sys is read-only in an " +
			"ordinary container.",
		NeededBy: "Mobile and embedded software. No ordinary service.",
		Without: "epoll ignores EPOLLWAKEUP without an error; writing to /sys/power/wake_lock " +
			"fails with EPERM.",
		Sources: []string{
			"capabilities(7)", "epoll_ctl(2)", "kernel/power/wakelock.c pm_wake_lock",
		},
	},
	{
		Cap: Perfmon, Severity: High,
		Permits: "Use performance counters and tracing whatever kernel.perf_event_paranoid says, " +
			"and let BPF programs trace the kernel " +
			"and read its memory (since Linux 5.8).",
		Attack: "Samples every CPU of the host, and so the programs, kernel addresses, registers " +
			"and stack contents of other tenants; " +
			"precise counters make side channels practical. Together with BPF it reads all " +
			"kernel memory and what passes through " +
			"system calls of the whole host. perf_event_open has also had bugs that gave root.",
		Limits: "Counters on a CPU do not stop at namespaces. Docker's current seccomp profile " +
			"opens perf_event_open with it. Some " +
			"distributions' kernels (Debian's at perf_event_paranoid=3) ask for SYS_ADMIN " +
			"instead. In a user namespace the kernel " +
			"refuses. Docker before 23.0 does not know the name.",
		NeededBy: "Profilers and tracing agents (perf, continuous profilers, BPF observability). " +
			"They are trusted with the whole host.",
		Without: "perf_event_open fails with EPERM by seccomp, else with EACCES; loading a " +
			"tracing BPF program fails with EPERM unless " +
			"SYS_ADMIN is held.",
		Sources: []string{
			"capabilities(7)", "perf_event_open(2)", "CVE-2013-2094", "CVE-2022-1729",
			"include/linux/perf_event.h perf_allow_cpu",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: BPF, Severity: High,
		Permits: "Load BPF programs and create BPF maps of the privileged kinds, with the " +
			"verifier's looser rules (since Linux 5.8).",
		Attack: "Feeds the verifier programs that exploit its mistakes, which have given writing " +
			"access to kernel memory and so the host " +
			"again and again. With PERFMON it traces every process of the host and reads kernel " +
			"memory, with NET_ADMIN it filters and " +
			"rewrites packets.",
		Limits: "Which programs can be attached depends on further capabilities: PERFMON for " +
			"tracing, NET_ADMIN for networking, " +
			"SYS_ADMIN for writing into other processes' memory and for opening other people's " +
			"programs and maps by id. Docker's " +
			"current seccomp profile opens bpf with it. In a user namespace the kernel refuses, " +
			"unless it was given a BPF token (since " +
			"Linux 6.9). Docker before 23.0 does not know the name.",
		NeededBy: "BPF agents for networking, security and observability (cilium, falco, " +
			"tetragon, inspektor-gadget). They are trusted " +
			"with the whole host.",
		Without: "bpf(2) fails with EPERM, by seccomp already.",
		Sources: []string{
			"capabilities(7)", "bpf(2)", "CVE-2020-8835", "CVE-2021-3490", "CVE-2022-23222",
			"kernel/bpf/syscall.c bpf_prog_load",
			"moby profiles/seccomp default",
		},
	},
}
