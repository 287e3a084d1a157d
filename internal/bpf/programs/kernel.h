/* What the programs use of the kernel's own types, and no more. Offsets come from the running
 * kernel's BTF (CO-RE), so only names and types count here. Kernels from 5.10. */
#pragma once

typedef unsigned char __u8;
typedef signed short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

enum {
	BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_PERCPU_ARRAY = 6, BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum bpf_func_id { BPF_FUNC_get_current_task_btf = 158, BPF_FUNC_task_pt_regs = 175 };

enum { EPERM = 1 };

#define PF_KTHREAD 0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct { __u32 val; } kuid_t;
typedef struct { __u32 val; } kgid_t;

struct uid_gid_extent { __u32 first, lower_first, count; };
struct uid_gid_map {
	__u32 nr_extents;
	struct uid_gid_extent extent[5]; /* UID_GID_MAP_MAX_BASE_EXTENTS; more are elsewhere */
	/* for copies: the kernel's extents begin 4 bytes later than these, in a union with pointers */
	__u64 room;
};

struct user_namespace {
	struct uid_gid_map uid_map, gid_map;
	struct user_namespace *parent;
	int level;
	kuid_t owner;
};

/* Two __u32 before 6.3, which are the same bytes on little-endian machines. */
typedef struct { __u64 val; } kernel_cap_t;

struct cred {
	kuid_t uid, suid, euid, fsuid;
	kgid_t gid, sgid, egid, fsgid;
	unsigned int securebits;
	kernel_cap_t cap_inheritable, cap_permitted, cap_effective, cap_bset;
	struct user_namespace *user_ns;
};

struct kernfs_node { const char *name; __u64 id; };
struct cgroup;
struct cgroup_subsys_state { struct cgroup *cgroup; struct cgroup_subsys_state *parent; };
struct cgroup { struct cgroup_subsys_state self; struct kernfs_node *kn; };
struct css_set { struct cgroup *dfl_cgrp; };

struct qstr { __u64 hash_len; const unsigned char *name; };
struct super_block { __u32 s_dev; unsigned long s_magic; };
struct timespec64 { __s64 tv_sec; long tv_nsec; };
struct inode { /* the time of the last change has three names: to 6.5, to 6.10 and later */
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	struct timespec64 i_ctime, __i_ctime;
	__s64 i_ctime_sec;
	__u32 i_ctime_nsec;
};
struct dentry { struct dentry *d_parent; struct qstr d_name; };
struct vfsmount { struct dentry *mnt_root; struct super_block *mnt_sb; };
struct path { struct vfsmount *mnt; struct dentry *dentry; };
struct file { struct path f_path; struct inode *f_inode; };
struct mnt_namespace;
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};
struct nsproxy { struct mnt_namespace *mnt_ns; };

struct mm_struct { struct file *exe_file; };
struct fs_struct { struct path root; };
struct pid_namespace { struct task_struct *child_reaper; struct user_namespace *user_ns; };
struct upid { int nr; struct pid_namespace *ns; };
struct pid { unsigned int level; struct upid numbers[1]; };
struct rlimit { unsigned long rlim_cur, rlim_max; };
struct signal_struct { struct rlimit rlim[16]; };
struct thread_info { unsigned long flags; __u32 status; };

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags;
	int tgid;
	struct mm_struct *mm;
	struct task_struct *real_parent, *group_leader;
	struct pid *thread_pid;
	__u64 start_boottime;
	const struct cred *real_cred, *cred;
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	__u64 self_exec_id;
	struct css_set *cgroups;
};

#pragma clang attribute pop
