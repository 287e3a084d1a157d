/* Which program a task runs. */
#pragma once

#define COMPONENTS 32

/* spell writes the path of an executable, from its end back to the root of the mounts, and hashes
 * it. Position and hash are in the map, not in registers, so that the verifier does not follow
 * every combination of lengths. */
__noinline int spell(__u64 file)
{
	struct file *exe = (struct file *)file;
	struct dentry *d = BPF_CORE_READ(exe, f_path.dentry);
	struct mount *m = mount_of(BPF_CORE_READ(exe, f_path.mnt));
	struct dentry *root = BPF_CORE_READ(m, mnt.mnt_root);
	struct scratch *scratch = the_scratch();
	volatile __u32 *begin, *hash;
	struct program_path *p;

	if (!scratch)
		return 0;
	p = &scratch->path;
	begin = &p->begin;
	hash = &p->program.path;
	*begin = PATH;
	*hash = 0;
	p->cut = 1;
	for (int i = 0; i < COMPONENTS; i++) {
		struct dentry *parent = BPF_CORE_READ(d, d_parent);
		__u64 name = BPF_CORE_READ(d, d_name.hash_len);
		__u32 n = name >> 32, at = *begin;

		if (d == root || d == parent) {
			struct mount *up = BPF_CORE_READ(m, mnt_parent);
			if (up == m || d != root) {
				p->cut = 0;
				break;
			}
			d = BPF_CORE_READ(m, mnt_mountpoint);
			m = up;
			root = BPF_CORE_READ(m, mnt.mnt_root);
			continue;
		}
		*hash = *hash * 31 + (__u32)name;
		if (n > 255 || n + 1 > at)
			break;
		at = (at - n - 1) & (PATH - 1);
		p->text[at] = '/';
		bpf_probe_read_kernel(&p->text[at + 1], n & 255, BPF_CORE_READ(d, d_name.name));
		*begin = at;
		d = parent;
	}
	return 0;
}

/* publish sends a program's path to user space, once. */
static __always_inline void publish(struct program_path *p)
{
	__u8 sent = 1;

	if (bpf_map_lookup_elem(&programs, &p->program))
		return;
	if (bpf_ringbuf_output(&program_paths, p, sizeof(*p), 0))
		__sync_fetch_and_add(&lost_paths, 1);
	else
		bpf_map_update_elem(&programs, &p->program, &sent, BPF_ANY);
}

static __always_inline void describe_exe(struct task_struct *task, struct process *p)
{
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);
	struct inode *inode = BPF_CORE_READ(exe, f_inode);
	struct scratch *scratch = the_scratch();

	if (!exe || !scratch)
		return;
	p->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	p->ino = BPF_CORE_READ(inode, i_ino);
	p->from = provenance((__u64)exe, p->own);
	spell((__u64)exe);
	p->path = scratch->path.program.path;
	scratch->path.program.own = p->own;
	scratch->path.program.ino = p->ino;
	scratch->path.program.dev = p->dev;
	publish(&scratch->path);
}

/* describe_cred notes what the program holds, unless it is in a user namespace that it made itself:
 * what it holds there, nobody gave it. */
static __always_inline void describe_cred(struct task_struct *task, struct process *p)
{
	struct home *h = bpf_map_lookup_elem(&homes, &p->own);
	const struct cred *cred = BPF_CORE_READ(task, real_cred);

	p->level = h ? h->level : NO_LEVEL;
	if ((__u32)BPF_CORE_READ(cred, user_ns, level) <= p->level)
		p->held = read_caps(cred, cap_bset) | read_caps(cred, cap_permitted) |
			read_caps(cred, cap_inheritable);
}

/* look finds out about a program that is not known, or no longer. */
static __noinline int look(struct task_struct *task, struct group *g, struct process *fresh,
	struct process *known)
{
	struct scratch *scratch = the_scratch();
	struct family *f;

	if (!scratch)
		return 0;
	f = &scratch->family;
	trace_back((__u64)BPF_CORE_READ(task, group_leader), fresh->own, g->mnt_ns);
	if (known && known->counted && known->start == fresh->start && known->own == fresh->own) {
		fresh->counted = true;
		fresh->origin = known->origin; /* not looked for again: a parent may be gone by now */
	} else if (belongs(task, g, f, fresh->start)) {
		fresh->counted = true;
		fresh->origin = origin_of(f, g);
	}
	if (fresh->counted) {
		settle(f, fresh->own);
		describe_exe(task, fresh);
		describe_cred(task, fresh);
	}
	return 0;
}
