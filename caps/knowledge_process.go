package caps

// knowledgeProcess covers processes, their identity and their limits.
var knowledgeProcess = []Knowledge{
	{
		Cap: Kill, Severity: Low,
		Permits: "Send any signal to any process that can be seen, whoever it belongs to.",
		Attack: "Stops or kills other users' processes in the container: a supervisor, a " +
			"watching agent, another user's service.",
		Limits: "The PID namespace: only the container's own processes can be named, and none of " +
			"a parent namespace. With --pid=host it " +
			"reaches every process of the host (AppArmor's docker-default still permits signals " +
			"to processes of the same profile " +
			"only), with --pid=container:ID those of that container.",
		NeededBy: "Supervisors and servers that run as root and signal children of another user: " +
			"nginx when it reloads, supervisord, s6, " +
			"an init that passes signals on. Not where sender and target have the same user id.",
		Without: "kill fails with EPERM; a reload or a stop hangs or leaves old workers behind.",
		Sources: []string{
			"capabilities(7)", "kill(2)", "kernel/signal.c kill_ok_by_cred",
		},
	},
	{
		Cap: Setgid, Severity: Medium,
		Permits: "Take any group id, set any list of supplementary groups, and claim any group " +
			"id in credentials sent over a Unix " +
			"socket.",
		Attack: "Joins whatever group owns something useful: on shared volumes and host " +
			"directories the group of a database's files, the " +
			"docker group of a mounted engine socket, the group of a device that was passed in. " +
			"So it opens by group what it may not " +
			"open as the user that it is.",
		Limits: "The ids are the host's unless the engine remaps users, and they matter only for " +
			"what is mounted or connected in the " +
			"container. The device cgroup decides about devices before the group does. In a user " +
			"namespace only mapped ids can be " +
			"taken.",
		NeededBy: "Everything that starts as root and goes on as a service's user: gosu, " +
			"su-exec, setpriv, su, nginx, postgres, redis, " +
			"sshd. Not if the container starts as that user (--user), with groups from --group-add.",
		Without: "setgid, setresgid and setgroups fail with EPERM, usually at the entrypoint, " +
			"and the service does not start.",
		Sources: []string{
			"capabilities(7)", "kernel/sys.c __sys_setgid", "kernel/groups.c may_setgroups",
		},
	},
	{
		Cap: Setuid, Severity: Medium,
		Permits: "Become any user id, and claim any user id in credentials sent over a Unix socket.",
		Attack: "Becomes the owner of whatever it wants to open: other users' files on shared " +
			"volumes and in host directories, or the " +
			"user that a service on a mounted socket trusts by SO_PEERCRED. It also takes the id " +
			"of an accomplice on the host, one of " +
			"the steps in the known abuse of MKNOD.",
		Limits: "The ids are the host's unless the engine remaps users, and they matter only for " +
			"what is mounted or connected in the " +
			"container. Leaving id 0 clears the effective capabilities, so it is rather a way " +
			"sideways than up. In a user namespace " +
			"only mapped ids can be taken.",
		NeededBy: "Everything that starts as root and goes on as a service's user: gosu, " +
			"su-exec, setpriv, su, nginx, postgres, redis, " +
			"sshd, cron. Not if the container starts as that user (--user).",
		Without: "setuid and setresuid to another user fail with EPERM, and the service does not " +
			"start; a program that ignores the error " +
			"stays root.",
		Sources: []string{
			"capabilities(7)", "kernel/sys.c __sys_setuid", "net/core/scm.c scm_check_creds",
		},
	},
	{
		Cap: Setpcap, Severity: Low,
		Permits: "Move capabilities from the own bounding set to the inheritable set, remove " +
			"capabilities from the bounding set, and " +
			"change the securebits.",
		Attack: "Nothing that root of the container does not have anyway: no process gains what " +
			"is outside its bounding set. It can lock " +
			"or unlock how root regains capabilities on execve, and so keep a set in place for " +
			"programs that it starts.",
		Limits: "The bounding set, which only ever shrinks. Since Linux 2.6.24 no process can " +
			"give capabilities to another.",
		NeededBy: "Programs that take rights away from others: nested container runtimes, " +
			"systemd inside a container, setpriv, capsh, " +
			"and servers that shrink their own bounding set. Not for dropping one's own " +
			"effective and permitted sets.",
		Without: "prctl PR_CAPBSET_DROP and PR_SET_SECUREBITS fail with EPERM, and so does " +
			"capset when it raises an inheritable " +
			"capability that is not permitted.",
		Sources: []string{
			"capabilities(7)", "security/commoncap.c cap_capset and cap_prctl_drop",
		},
	},
	{
		Cap: SysPtrace, Severity: High,
		Permits: "Trace any process that can be seen and read and write its memory, whatever its " +
			"user and its capabilities, and look at " +
			"its open files, environment and memory map in /proc.",
		Attack: "Takes over every other process of the container, among them what enters it from " +
			"outside with more power: a docker exec " +
			"--privileged, a debugging shell, a health check. It injects code there and has that " +
			"process's capabilities. In a shared " +
			"PID namespace the neighbours or the host's own daemons are in reach, and then one " +
			"traced root process is the host.",
		Limits: "The PID namespace: other containers' and the host's processes cannot be named. " +
			"AppArmor's docker-default permits " +
			"tracing only among processes of that profile, Yama's ptrace_scope=3 none. The " +
			"capability opens pidfd_getfd, " +
			"process_madvise and kcmp in Docker's seccomp profile. With --pid=host or " +
			"--pid=container:ID the first limit is gone, with " +
			"AppArmor off as well the second.",
		NeededBy: "Debuggers, strace, gdb, profilers and crash handlers that look at processes " +
			"of other users. Not for tracing one's own " +
			"children of the same user, which Docker's seccomp profile permits on kernels since " +
			"4.8, unless Yama or capabilities of " +
			"the target forbid it.",
		Without: "ptrace and process_vm_readv fail with EPERM, or with EACCES when they go " +
			"through /proc/PID files; other users' " +
			"/proc/PID/exe, fd and environ cannot be read, so that tools like lsof and fuser " +
			"tell less.",
		Sources: []string{
			"capabilities(7)", "ptrace(2)", "kernel/ptrace.c __ptrace_may_access",
			"security/commoncap.c cap_ptrace_access_check",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: SysNice, Severity: Medium,
		Permits: "Raise the priority of processes, use real-time scheduling, and set scheduling, " +
			"CPU affinity, I/O class and NUMA " +
			"placement of other users' processes.",
		Attack: "Puts its own busy loops into a real-time class and starves everything else on " +
			"those CPUs, other containers and the " +
			"host's services included. Fine control of scheduling and placement also helps to " +
			"win races and to measure neighbours in " +
			"side-channel attacks.",
		Limits: "CPU quotas and cpusets of the container go on to bind ordinary classes; the " +
			"kernel's real-time throttling leaves a " +
			"small share (5 percent by default) to the rest. Kernels with CONFIG_RT_GROUP_SCHED " +
			"refuse real-time classes until the " +
			"container has a budget (--cpu-rt-runtime). The PID namespace limits whose processes " +
			"can be named. The capability opens " +
			"mbind, set_mempolicy and get_mempolicy in Docker's seccomp profile.",
		NeededBy: "Software with hard deadlines (audio, telephony, radio, time synchronisation), " +
			"databases and numerical programs that " +
			"place memory by NUMA node (mysql with innodb_numa_interleave). Lowering one's own " +
			"priority needs nothing.",
		Without: "nice, sched_setscheduler, sched_setaffinity of others and mbind (refused by " +
			"seccomp) fail with EPERM; setpriority " +
			"below the permitted value fails with EACCES. mysql logs \"mbind: Operation not " +
			"permitted\" and goes on.",
		Sources: []string{
			"capabilities(7)", "kernel/sched/core.c __sched_setscheduler", "sched(7)",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: SysResource, Severity: Medium,
		Permits: "Go beyond limits: raise hard resource limits, use the blocks that a filesystem " +
			"keeps for root, exceed disk quotas and " +
			"limits on pipes, message queues and user processes, and lower the own OOM score.",
		Attack: "Fills the host's disk up to the last reserved block, or past the quota that " +
			"should contain it; uses up processes, " +
			"descriptors and kernel memory that no longer are limited; makes itself the last " +
			"victim when memory runs out, so that the " +
			"host's services are killed first.",
		Limits: "Limits kept by cgroups stand: memory, pids, CPU and I/O of the container. " +
			"Reserved blocks and quotas matter for " +
			"writable mounts and for the disk that holds the container's layers.",
		NeededBy: "Services that raise their own hard limits instead of getting them by --ulimit " +
			"(elasticsearch, some databases and Java " +
			"launchers), nested runtimes that set oom_score_adj. Not if the engine is told the " +
			"limits.",
		Without: "setrlimit above the hard limit fails with EPERM, lowering oom_score_adj with " +
			"EACCES; without it writes fail with " +
			"ENOSPC or EDQUOT where the reserve or the quota begins.",
		Sources: []string{
			"capabilities(7)", "kernel/sys.c do_prlimit", "fs/proc/base.c __set_oom_adj",
			"fs/ext4/balloc.c ext4_has_free_clusters",
			"fs/quota/dquot.c ignore_hardlimit",
		},
	},
	{
		Cap: IpcLock, Severity: Low,
		Permits: "Lock any amount of memory so that it is never swapped out, whatever " +
			"RLIMIT_MEMLOCK says, and make shared memory " +
			"segments of huge pages.",
		Attack: "Holds memory that the host cannot swap out, to press its neighbours; uses up " +
			"huge pages that another service needs.",
		Limits: "The container's memory limit counts locked memory too. Without such a limit " +
			"(--memory) the host's memory is in reach.",
		NeededBy: "Programs that keep secrets out of swap (vault, gpg-agent) and those that pin " +
			"much memory (databases with huge pages, " +
			"DPDK, RDMA, older BPF loaders). Not if the locked memory fits in RLIMIT_MEMLOCK, " +
			"which --ulimit memlock raises.",
		Without: "mlock fails with ENOMEM above the limit, or with EPERM where the limit is " +
			"zero; mmap with MAP_LOCKED fails with EAGAIN " +
			"or EPERM; shmget with SHM_HUGETLB with EPERM.",
		Sources: []string{
			"capabilities(7)", "mlock(2)", "mm/mlock.c can_do_mlock",
			"fs/hugetlbfs/inode.c can_do_hugetlb_shm",
		},
	},
	{
		Cap: IpcOwner, Severity: Low,
		Permits: "Use System V shared memory, semaphores and message queues of other users as if " +
			"permitted.",
		Attack: "Reads and changes what other users' processes exchange through shared memory, " +
			"for example a database's buffers.",
		Limits: "The IPC namespace: only the container's own objects. With --ipc=host the host's " +
			"objects and with --ipc=container:ID " +
			"those of that container are in reach, and then it is worth medium.",
		NeededBy: "Hardly any: tools that inspect or clean up (ipcs, ipcrm) over users. A " +
			"program's own objects need nothing.",
		Without: "shmget, shmat, semop and msgrcv on another user's objects fail with EACCES.",
		Sources: []string{
			"capabilities(7)", "ipc/util.c ipcperms",
		},
	},
	{
		Cap: SysPacct, Severity: Low,
		Permits: "Switch BSD process accounting on and off (acct).",
		Attack: "Switches off accounting in its own PID namespace, or lets the kernel append a " +
			"record to a file for every process that " +
			"ends there.",
		Limits: "Accounting is kept per PID namespace: the host's own, if there is any, goes on. " +
			"The kernel asks in the first user " +
			"namespace, and Docker's seccomp profile allows acct only while the capability is " +
			"held. With --pid=host the host's " +
			"accounting is in reach.",
		NeededBy: "The acct and psacct tools, if somebody runs them in a container.",
		Without:  "acct fails with EPERM.",
		Sources: []string{
			"capabilities(7)", "acct(2)", "kernel/acct.c acct_on", "moby profiles/seccomp default",
		},
	},
	{
		Cap: CheckpointRestore, Severity: Low,
		Permits: "Choose the id of a new process, and read the files behind other processes' " +
			"memory maps in /proc/PID/map_files (since " +
			"Linux 5.9).",
		Attack: "Reopens files that processes of the container have mapped and that were since " +
			"deleted or moved out of reach; gives a " +
			"new process the id of an ended one that somebody still trusts.",
		Limits: "The PID namespace and the checks for looking at other processes. Docker mounts " +
			"/proc/sys read-only, so ns_last_pid " +
			"cannot be written, and its seccomp profile refuses clone3 without SYS_ADMIN, so " +
			"set_tid cannot be used.",
		NeededBy: "CRIU and other checkpointing tools, together with further capabilities. No " +
			"ordinary service.",
		Without: "clone3 with set_tid and reading links in map_files fail with EPERM, unless " +
			"SYS_ADMIN is held.",
		Sources: []string{
			"capabilities(7)", "kernel/pid.c alloc_pid", "fs/proc/base.c proc_map_files_get_link",
		},
	},
}
