package verdict

import (
	"slices"

	"dropcap"
	"dropcap/caps"
)

// permission are the functions that check the capabilities that override modes.
var permission = []string{"generic_permission"}

// fileRules are about reading, writing and creating files.
var fileRules = []Rule{
	{
		Name: "read", Caps: caps.Of(caps.DacReadSearch), At: permission, When: "by user 0",
		when:  byRoot,
		Class: dropcap.Alternative, Or: caps.Of(caps.DacOverride),
		Because: "reading or searching what the mode forbids fails with EACCES; DAC_OVERRIDE " +
			"would do, and does not open open_by_handle_at(2)",
		Source: "fs/namei.c generic_permission: DAC_READ_SEARCH is asked before DAC_OVERRIDE " +
			"for reads and searches, since 4.12",
	},
	{
		Name: "read-only", Caps: caps.Of(caps.DacReadSearch), At: permission,
		Class:   dropcap.Decisive,
		Because: "reading or searching what the mode forbids fails with EACCES",
		Source:  "fs/namei.c generic_permission",
	},
	{
		Name: "access", Caps: caps.Of(caps.DacOverride), At: permission,
		Under: []string{"do_faccessat", "sys_faccessat"},
		Class: dropcap.Silent,
		Because: "access(2) answers that the file cannot be used; what the program makes of that " +
			"is its own affair",
		Try: "access(2) only asks, and what is opened afterwards asks again",
		Source: "fs/open.c do_faccessat (5.8, sys_faccessat before): it only asks, and opening " +
			"the file asks again",
	},
	{
		Name: "override", Caps: caps.Of(caps.DacOverride), At: permission,
		Class:   dropcap.Decisive,
		Because: "using a file or folder whose mode forbids it fails with EACCES",
		Source:  "fs/namei.c generic_permission: asked last",
	},
	{
		Name: "by-handle", Caps: caps.Of(caps.DacReadSearch),
		At: []string{"do_handle_open", "handle_to_path", "may_decode_fh",
			"sys_open_by_handle_at"},
		Class: dropcap.Decisive, Because: "open_by_handle_at(2) fails with EPERM",
		Source: "fs/fhandle.c handle_to_path; may_decode_fh since 6.11",
	},
	{
		Name: "mknod", Caps: caps.Of(caps.Mknod), At: []string{"vfs_mknod"},
		Class: dropcap.Decisive, Because: "making a device node fails with EPERM",
		Source: "fs/namei.c vfs_mknod: for character and block devices only, and not for " +
			"whiteouts since 5.8",
	},
	{
		Name: "chroot", Caps: caps.Of(caps.SysChroot), At: []string{"sys_chroot"},
		Class: dropcap.Decisive, Because: "chroot(2) fails with EPERM",
		Source: "fs/open.c ksys_chroot, since 5.9 in the system call itself",
	},
	{
		Name: "lease", Caps: caps.Of(caps.Lease), At: []string{"vfs_setlease", "generic_setlease",
			"kernel_setlease"},
		Class: dropcap.Decisive, Because: "a lease on another user's file fails with EACCES",
		Source: "fs/locks.c generic_setlease, vfs_setlease since 6.7",
	},
	{
		Name: "attributes", Caps: caps.Of(caps.LinuxImmutable), At: []string{
			"vfs_fileattr_set", "fileattr_set_prepare", "vfs_ioc_setflags_prepare",
			"ext4_ioctl_setflags", "ext4_ioctl", "__ext4_ioctl",
			"btrfs_ioctl_setflags", "ioctl_setflags", "ioctl_fssetxattr", "xfs_ioctl_setattr",
		},
		Class:   dropcap.Decisive,
		Because: "setting or clearing the immutable or append-only attribute fails with EPERM",
		Source: "fs/file_attr.c fileattr_set_prepare (fs/ioctl.c 5.13 to 6.16), fs/inode.c " +
			"vfs_ioc_setflags_prepare before",
	},
	{
		Name: "file-capability", Caps: caps.Of(caps.Setfcap), At: []string{"cap_convert_nscap",
			"cap_inode_setxattr", "cap_inode_removexattr"},
		Class:   dropcap.Decisive,
		Because: "setting or removing a file's capabilities fails with EPERM",
		Source:  "security/commoncap.c cap_convert_nscap, cap_inode_removexattr",
	},
	{
		Name: "xattr-list", Caps: caps.Of(caps.SysAdmin), At: []string{
			"ext4_xattr_trusted_list", "ext4_xattr_list_entries", "ext4_listxattr",
			"simple_xattr_list", "ovl_listxattr", "ovl_can_list",
			"xfs_xattr_put_listent", "f2fs_xattr_trusted_list", "btrfs_listxattr", "xattr_list_one",
		},
		Syscalls: []string{"listxattr", "llistxattr", "flistxattr", "listxattrat"},
		Class:    dropcap.Advisory,
		Because: "listing attributes only leaves out the names of trusted ones, whose values " +
			"need it in any case",
		Source: "fs/ext4/xattr_trusted.c, fs/xattr.c simple_xattr_list, fs/overlayfs/xattrs.c " +
			"ovl_can_list: asked without audit",
	},
	{
		Name: "xattr", Caps: caps.Of(caps.SysAdmin), At: []string{"xattr_permission",
			"cap_inode_setxattr", "cap_inode_removexattr"},
		Class:   dropcap.Decisive,
		Because: "using trusted attributes, or setting security ones, fails with EPERM or ENODATA",
		Source:  "fs/xattr.c xattr_permission; security/commoncap.c cap_inode_setxattr",
	},
	{
		Name: "reserved-blocks", Caps: caps.Of(caps.SysResource), At: []string{
			"ext4_has_free_clusters", "ext4_claim_free_clusters", "ext2_has_free_blocks",
			"ext2_new_blocks", "ext2_new_block",
			"ignore_hardlimit", "dquot_add_space", "dquot_add_inodes", "__dquot_alloc_space",
			"dquot_alloc_inode", "__allow_reserved_blocks",
		},
		Class: dropcap.Advisory,
		Because: "it only opens the blocks of a full file system that are reserved for " +
			"administrators, or a quota's end",
		Source: "fs/ext4/balloc.c ext4_has_free_clusters, fs/quota/dquot.c ignore_hardlimit",
	},
}

// ownerRules are about files' owners, modes and times.
var ownerRules = []Rule{
	{
		Name: "chown", Caps: caps.Of(caps.Chown), At: []string{"chown_ok", "chgrp_ok",
			"setattr_prepare", "inode_change_ok", "notify_change"},
		Class: dropcap.Decisive, Because: "giving a file to another user or group fails with EPERM",
		Source: "fs/attr.c chown_ok, chgrp_ok: asked last; inlined in setattr_prepare on 6.18",
	},
	{
		Name: "touch", Caps: caps.Of(caps.Fowner), At: []string{"may_setattr", "notify_change"},
		When: "by user 0", when: byRoot,
		Class: dropcap.Alternative, Or: caps.Of(caps.DacOverride),
		Because: "setting the times of another's file to now fails with EACCES, unless it may be " +
			"written",
		Source: "fs/attr.c may_setattr (5.15), notify_change before: then inode_permission for " +
			"writing is asked",
	},
	{
		Name: "owner", Caps: caps.Of(caps.Fowner),
		When:  "the path goes through inode_owner_or_capable, or ends where that is inlined",
		when:  func(_ dropcap.KernelCheck, p path) bool { return p.asksForOwner() },
		Class: dropcap.Decisive,
		Because: "changing the mode, times, attributes or access list of another's file, or " +
			"removing it from a sticky folder, fails with EPERM",
		Source: "fs/inode.c inode_owner_or_capable and fs/namei.c __check_sticky: asked last",
	},
	{
		Name: "no-setgid-bit", Caps: caps.Of(caps.Fsetid), At: []string{"setattr_prepare",
			"setattr_copy", "inode_change_ok", "__setattr_copy", "xfs_setattr_mode"},
		Syscalls: []string{"chmod", "fchmod", "fchmodat", "fchmodat2"},
		When:     "the mode that is set has neither a setuid nor a setgid bit",
		when:     arg(dropcap.ArgNoSetID),
		Class:    dropcap.Advisory,
		Because:  "the kernel asks before it clears a setgid bit, and the new mode has none",
		Source:   "fs/attr.c setattr_prepare, setattr_copy",
	},
	{
		Name: "setgid-bit", Caps: caps.Of(caps.Fsetid),
		Class: dropcap.Silent, Because: "the setuid or setgid bit of the file is silently cleared",
		Source: "fs/attr.c setattr_prepare, setattr_copy; fs/inode.c mode_strip_sgid (6.0), " +
			"inode_init_owner, setattr_should_drop_suidgid (6.2), should_remove_suid",
	},
}

// ownerAskers are the functions that check FOWNER where inode_owner_or_capable is inlined into
// them.
var ownerAskers = []string{
	"setattr_prepare", "inode_change_ok", "may_setattr", "notify_change", "__check_sticky",
	"check_sticky", "may_delete", "may_open", "do_open",
	"xattr_permission", "vfs_fileattr_set", "vfs_set_acl", "vfs_remove_acl", "set_posix_acl",
	"posix_acl_xattr_set", "may_linkat", "vfs_utimes",
	"setfl", "do_fcntl", "fcntl_setfl", "ext4_ioctl", "__ext4_ioctl", "btrfs_ioctl_setflags",
	"ovl_posix_acl_xattr_set", "ovl_set_or_remove_acl",
}

func (p path) asksForOwner() bool {
	i := p.asker()
	return p.has("inode_owner_or_capable") || i < len(p.names) && slices.Contains(ownerAskers,
		p.names[i])
}
