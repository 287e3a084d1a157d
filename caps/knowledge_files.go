package caps

// knowledgeFiles covers files, their owners and their modes.
var knowledgeFiles = []Knowledge{
	{
		Cap: Chown, Severity: Medium,
		Permits: "Give any file to any user and group, whoever owns it.",
		Attack: "Takes files of other users on shared volumes and host directories by making " +
			"itself their owner, or hands a file of its " +
			"own to the user whose program will read it. A process that is not root becomes root " +
			"of the container by taking " +
			"/etc/passwd or /etc/shadow.",
		Limits: "Works only on what is mounted in the container; changing the owner clears the " +
			"setuid bit, so it does not make root " +
			"programs by itself. In a user namespace only ids that are mapped there can be given " +
			"and taken. A writable mount of a host " +
			"directory takes the limit away.",
		NeededBy: "Entrypoints that hand a data directory to the service's user (postgres, " +
			"redis, mysql) and servers that own their " +
			"cache or log files (nginx). Not when the container starts as that user (--user) on " +
			"a volume that already belongs to it.",
		Without: "chown and its kin fail with EPERM; entrypoints stop with \"Operation not " +
			"permitted\" on a fresh volume, and often " +
			"start on one that was handed over before.",
		Sources: []string{
			"capabilities(7)", "chown(2)", "fs/attr.c chown_ok",
		},
	},
	{
		Cap: DacOverride, Severity: Medium,
		Permits: "Read, write and search any file or directory, and execute a file that has any " +
			"execute bit, whatever the permission " +
			"bits and ACLs say.",
		Attack: "Reads and changes the files of every user in the container and on everything " +
			"mounted in it: keys, databases, a mounted " +
			"socket of an engine or an agent. Since root of the container is uid 0 of the host " +
			"too, a writable mount of a host " +
			"directory means any file in it, for example a key in authorized_keys or a job in cron.",
		Limits: "Mounts bound it: without shared volumes it stays in the container's own layers. " +
			"/proc/sys and /sys are mounted " +
			"read-only, and AppArmor's docker-default refuses writes there. Only files whose " +
			"owner and group are mapped count in a " +
			"user namespace. With a writable host directory or a host's socket nothing is left " +
			"of that.",
		NeededBy: "Programs that run as root and use files of other users: backup agents, " +
			"package managers, entrypoints that write to a " +
			"directory which they gave away before. Most services work without it once the files " +
			"belong to the user that they run as.",
		Without: "open, mkdir, unlink and execve fail with EACCES, for root too: root without it " +
			"is an ordinary user of the files that " +
			"others own.",
		Sources: []string{
			"capabilities(7)", "fs/namei.c generic_permission",
			"moby daemon/pkg/oci/defaults.go ReadonlyPaths",
		},
	},
	{
		Cap: DacReadSearch, Severity: Critical,
		Permits: "Read any file and search any directory whatever the permission bits say, and " +
			"open a file by its handle " +
			"(open_by_handle_at), which needs no path at all.",
		Attack: "Shocker: takes any file that is mounted from the host, such as /etc/hosts or " +
			"/etc/resolv.conf, as the way into its " +
			"filesystem, guesses the handle of the root directory (its inode number is small and " +
			"fixed), and opens every other file of " +
			"that filesystem by walking on from it. Where the engine keeps its data on the " +
			"host's root filesystem, that means " +
			"/etc/shadow, keys and other containers' data, though none of it is mounted in the " +
			"container. Together with DAC_OVERRIDE " +
			"or as the files' owner it can write as well.",
		Limits: "Not in Docker's defaults, where seccomp refuses open_by_handle_at; adding the " +
			"capability opens that call in the " +
			"profile. A container with its own user namespace cannot use it to reach beyond what " +
			"is mounted there. Filesystems without " +
			"handles are out of reach.",
		NeededBy: "Backup and indexing agents that read everything, and NFS servers in user " +
			"space. For reading the files of another user " +
			"it is the weaker half of DAC_OVERRIDE, but the stronger one by handles: give the " +
			"agent the right user or group instead.",
		Without: "Reading and searching fail with EACCES unless DAC_OVERRIDE is held; " +
			"open_by_handle_at fails with EPERM; linkat with " +
			"AT_EMPTY_PATH fails with ENOENT.",
		Sources: []string{
			"capabilities(7)", "open_by_handle_at(2)", "fs/fhandle.c handle_to_path",
			"shocker.c (Sebastian Krahmer, 2014)",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: Fowner, Severity: Medium,
		Permits: "Do to any file what is otherwise its owner's right: change its mode, times, " +
			"ACLs and inode flags, delete it from a " +
			"directory with the sticky bit, open it with O_NOATIME.",
		Attack: "Opens files of other users on shared volumes by changing their mode, then reads " +
			"or replaces them; deletes or swaps " +
			"other users' files in a shared /tmp; sets times back after a change.",
		Limits: "Works only on what is mounted in the container, and in a user namespace only on " +
			"files whose owner is mapped. A writable " +
			"mount of a host directory carries it to the host's files.",
		NeededBy: "Entrypoints that chmod a directory after they have given it away, package " +
			"managers, rsync and tar that restore modes " +
			"and times of other users' files. Not when files are changed by their owner.",
		Without: "chmod, utimensat, setxattr of ACLs and deleting from sticky directories fail " +
			"with EPERM.",
		Sources: []string{
			"capabilities(7)", "fs/inode.c inode_owner_or_capable",
		},
	},
	{
		Cap: Fsetid, Severity: Low,
		Permits: "Keep the setuid and setgid bits of a file that is written to or truncated, and " +
			"set the setgid bit for a group that one " +
			"is not in.",
		Attack: "Writes into a program that has the setuid bit without the bit being cleared, " +
			"and so keeps a changed program privileged; " +
			"makes setgid files for foreign groups. Both need write permission on the file first.",
		Limits: "Little by itself, since permission to write must come from elsewhere. The bit " +
			"means something outside only on a volume " +
			"that is shared without nosuid.",
		NeededBy: "Package managers and image builds that lay out setgid directories or setuid " +
			"programs, and file servers that keep " +
			"modes. Services hardly ever.",
		Without: "No error: chmod succeeds and leaves the setgid bit out; writing clears setuid " +
			"and setgid. Look at the mode afterwards.",
		Sources: []string{
			"capabilities(7)", "fs/attr.c setattr_prepare", "fs/inode.c in_group_or_capable",
		},
	},
	{
		Cap: LinuxImmutable, Severity: Low,
		Permits: "Set and clear the immutable and append-only flags of files (chattr +i, +a).",
		Attack: "Makes its own files on a shared volume undeletable, so that a cleanup or an " +
			"update fails, or takes the append-only flag " +
			"off a log that should be kept.",
		Limits: "Works only on writable mounts and on filesystems that know the flags; asked for " +
			"in the first user namespace, so without " +
			"effect in a container with its own. Root of the host can clear the flags again.",
		NeededBy: "Tools that manage such flags: some backup and hardening tools. No ordinary " +
			"service.",
		Without: "The FS_IOC_SETFLAGS ioctl fails with EPERM, and so does every write to a file " +
			"that is immutable.",
		Sources: []string{
			"capabilities(7)", "ioctl_iflags(2)", "fs/ioctl.c fileattr_set_prepare",
		},
	},
	{
		Cap: SysChroot, Severity: Low,
		Permits: "Change a process's root directory (chroot), and, together with SYS_ADMIN, " +
			"enter another mount namespace with setns.",
		Attack: "Leaves a chroot in which a service inside the container has locked itself, by a " +
			"second chroot and a directory that was " +
			"left open. It gives no way out of the container, whose root was changed with " +
			"pivot_root in its own mount namespace. " +
			"Rearranged roots can also mislead setuid programs of the container.",
		Limits: "Only what is mounted in the container can become the root. Docker's seccomp " +
			"profile allows chroot only while the " +
			"capability is held.",
		NeededBy: "Servers that lock parts of themselves into an empty directory: sshd (for its " +
			"unprivileged half), vsftpd, postfix, " +
			"haproxy and unbound when they are configured so. Otherwise not.",
		Without: "chroot fails with EPERM; sshd drops connections before login.",
		Sources: []string{
			"capabilities(7)", "chroot(2)", "fs/namespace.c mntns_install",
			"moby profiles/seccomp default",
		},
	},
	{
		Cap: Mknod, Severity: Medium,
		Permits: "Create device nodes of any type and number.",
		Attack: "Makes a node for the host's disk. Inside the container it cannot be opened, but " +
			"a process outside the container's " +
			"device cgroup can: an accomplice who is an ordinary user of the host reaches it " +
			"through /proc/PID/root of a container " +
			"process that has his user id, or in a host directory that both can use, and reads " +
			"or writes the disk beneath all " +
			"permissions.",
		Limits: "The device cgroup lets every node be created and only a handful be opened " +
			"(null, zero, full, random, urandom, tty, " +
			"ptmx). It needs a foothold outside, or a device that was granted by --device or " +
			"--device-cgroup-rule. Privileged " +
			"containers have no device limit. The kernel asks in the first user namespace, so it " +
			"does nothing in a container with its " +
			"own; mounts with nodev make such nodes inert.",
		NeededBy: "Image builds and package scripts that unpack device nodes, and nested " +
			"container runtimes. Not for ordinary services: " +
			"FIFOs and sockets need no capability, and --device makes the node by itself.",
		Without: "mknod of a character or block device fails with EPERM; unpacking an archive " +
			"with device nodes reports errors.",
		Sources: []string{
			"capabilities(7)", "fs/namei.c vfs_mknod", "security/device_cgroup.c",
			"runc libcontainer/specconv AllowedDevices",
		},
	},
	{
		Cap: Lease, Severity: Low,
		Permits: "Take a lease on a file of another user (fcntl F_SETLEASE), and so be told, and " +
			"waited for, when somebody opens it.",
		Attack: "Makes every open of a shared file wait until the lease is given up, by default " +
			"up to 45 seconds each time, and learns " +
			"when others use it: a nuisance to whoever shares the volume.",
		Limits: "Works only on files that the container can open and on filesystems with leases; " +
			"fs.lease-break-time bounds each delay. " +
			"Leases on one's own files need nothing.",
		NeededBy: "Samba, for oplocks on files of its users, and a few NFS servers in user space.",
		Without:  "fcntl F_SETLEASE on a file of another user fails with EACCES.",
		Sources: []string{
			"capabilities(7)", "fcntl(2)", "fs/locks.c generic_setlease",
		},
	},
	{
		Cap: Setfcap, Severity: Medium,
		Permits: "Attach capabilities to program files, and map user id 0 of the own user " +
			"namespace into a new one (since Linux 5.12).",
		Attack: "Gives a program of its own file capabilities and leaves it where somebody " +
			"without privileges runs it: on a volume " +
			"shared with the host or another container, whoever executes it there gets the " +
			"capabilities that his bounding set admits, " +
			"on the host all of them. Inside the container it lets another user of the " +
			"container, otherwise without power, regain what " +
			"the bounding set holds.",
		Limits: "Within the container a file can give nothing beyond the bounding set, and " +
			"nothing at all under no-new-privileges. " +
			"Volumes mounted nosuid ignore file capabilities. In a user namespace the attribute " +
			"is tied to that namespace and means " +
			"nothing outside.",
		NeededBy: "Package managers and image builds that install programs with file " +
			"capabilities, entrypoints that call setcap, nested " +
			"user namespaces that map root. Not at all for running such programs.",
		Without: "setxattr of security.capability (setcap) fails with EPERM, and packages that " +
			"do it fail to install or fall back to the " +
			"setuid bit; writing a uid_map that contains the parent's id 0 fails with EPERM.",
		Sources: []string{
			"capabilities(7)", "user_namespaces(7)", "security/commoncap.c cap_convert_nscap",
			"kernel/user_namespace.c verify_root_map",
		},
	},
}
