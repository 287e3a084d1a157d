/* Where a program's file comes from: the image, or somebody who may have written it to make a grant
 * look needed. A file that cannot be proven to be the image's counts as not the image's. */
#pragma once

#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6
#define HUGETLBFS_MAGIC 0x958458f6

/* first_of returns the container's first process, or the task's highest ancestor in the container,
 * or 0 where neither is sure. A process may have made a PID namespace of its own, so the highest
 * ancestor's is used. */
static __always_inline __u64 first_of(struct family *f, __u64 own, struct user_namespace **user)
{
	struct task_struct *top = (struct task_struct *)f->top, *first;
	struct pid_namespace *ns;
	struct upid_at at = {};

	if (!f->outside)
		return 0;
	upid(top, &at);
	ns = at.ns;
	first = BPF_CORE_READ(ns, child_reaper);
	if (!below((__u64)first, own)) {
		*user = BPF_CORE_READ(top, real_cred, user_ns);
		return (__u64)top;
	}
	*user = BPF_CORE_READ(ns, user_ns);
	return (__u64)first;
}

/* settle remembers what the container was made of, once: later its processes may be elsewhere. */
static __noinline int settle(struct family *f, __u64 own)
{
	struct user_namespace *user = NULL;
	struct task_struct *first;
	struct vfsmount *root;
	struct home h = {};
	__u64 start;

	if (bpf_map_lookup_elem(&homes, &own))
		return 0;
	first = (struct task_struct *)first_of(f, own, &user);
	if (!first)
		return 0;
	root = BPF_CORE_READ(first, fs, root.mnt);
	h.super = (__u64)BPF_CORE_READ(root, mnt_sb);
	h.dentry = (__u64)BPF_CORE_READ(root, mnt_root);
	h.magic = BPF_CORE_READ(root, mnt_sb, s_magic);
	h.level = BPF_CORE_READ(user, level);
	start = BPF_CORE_READ(first, start_boottime);
	if (start > opened)
		h.begun = start + wall;
	bpf_map_update_elem(&homes, &own, &h, BPF_NOEXIST);
	return 0;
}

/* in_upper reports whether a file of an overlay has a part in the upper layer, which is the
 * container's own. struct ovl_inode has the inode, and behind it the dentry in that layer
 * (fs/overlayfs/ovl_entry.h, since 4.13). A file that was copied up stays so. */
static __always_inline bool in_upper(struct inode *inode)
{
	__s64 at = upper_at ? upper_at : (__s64)bpf_core_type_size(struct inode);
	__u64 upper;

	return bpf_probe_read_kernel(&upper, sizeof(upper), (char *)inode + at) || upper;
}

/* changed returns when a file was last changed: its content, owner, mode, names or attributes.
 * Nobody can set this time except by setting the clock. */
static __always_inline __u64 changed(struct inode *inode)
{
	if (bpf_core_field_exists(inode->i_ctime_sec))
		return (__u64)BPF_CORE_READ(inode, i_ctime_sec) * 1000000000ULL +
			BPF_CORE_READ(inode, i_ctime_nsec);
	if (bpf_core_field_exists(inode->__i_ctime))
		return (__u64)BPF_CORE_READ(inode, __i_ctime.tv_sec) * 1000000000ULL +
			BPF_CORE_READ(inode, __i_ctime.tv_nsec);
	return (__u64)BPF_CORE_READ(inode, i_ctime.tv_sec) * 1000000000ULL +
		BPF_CORE_READ(inode, i_ctime.tv_nsec);
}

/* provenance judges an executable as it is at the first look at its program, which is while the
 * program starts. */
__noinline int provenance(__u64 file, __u64 own)
{
	struct file *exe = (struct file *)file;
	struct inode *inode = BPF_CORE_READ(exe, f_inode);
	struct home *h = bpf_map_lookup_elem(&homes, &own);
	struct vfsmount *v = BPF_CORE_READ(exe, f_path.mnt);
	__u64 super = (__u64)BPF_CORE_READ(v, mnt_sb), magic = BPF_CORE_READ(inode, i_sb, s_magic);

	if (!BPF_CORE_READ(inode, i_nlink))
		return FROM_MEMORY;
	if (!h || h->forged)
		return FROM_UNKNOWN;
	if (super == h->super && h->magic == OVERLAYFS_SUPER_MAGIC)
		return in_upper(inode) ? FROM_WRITTEN : FROM_IMAGE;
	if (super == h->super && (__u64)BPF_CORE_READ(v, mnt_root) == h->dentry)
		return h->begun && changed(inode) < h->begun ? FROM_OLD : FROM_UNKNOWN;
	return magic == TMPFS_MAGIC || magic == RAMFS_MAGIC || magic == HUGETLBFS_MAGIC ?
		FROM_MEMORY : FROM_VOLUME;
}
