/* Whether a task runs the container's program or still the runtime's: its ancestors and mounts
 * tell. */
#pragma once

#define FOREBEARS 32
/* ns. No runtime takes so long from its first step in the cgroup to the container's program. */
#define SETTLED 10000000000ULL

static __always_inline struct mount *mount_of(struct vfsmount *v)
{
	return (struct mount *)((char *)v - bpf_core_field_offset(struct mount, mnt));
}

/* exe_ns returns the mount namespace that a task's executable is mounted in, if that is also the
 * task's own or the container's; else NULL. A runtime's program comes from the host's mounts, from
 * a memfd or from a mount in no namespace. */
static __always_inline struct mnt_namespace *exe_ns(struct task_struct *task, __u64 container_ns)
{
	struct vfsmount *v = BPF_CORE_READ(task, mm, exe_file, f_path.mnt);
	struct mnt_namespace *ns;

	if (!v)
		return NULL;
	ns = BPF_CORE_READ(mount_of(v), mnt_ns);
	if (ns == BPF_CORE_READ(task, nsproxy, mnt_ns) || (__u64)ns == container_ns)
		return ns;
	return NULL;
}

struct upid_at { int nr; void *ns; };

/* upid reads a task's number in the PID namespace that it is in. */
static __always_inline void upid(struct task_struct *task, struct upid_at *out)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	char *at = (char *)pid + bpf_core_field_offset(struct pid, numbers) +
		(__u64)level * bpf_core_type_size(struct upid);

	bpf_probe_read_kernel(&out->nr, sizeof(out->nr), at + bpf_core_field_offset(struct upid, nr));
	bpf_probe_read_kernel(&out->ns, sizeof(out->ns), at + bpf_core_field_offset(struct upid, ns));
}

__noinline int trace_back(__u64 task, __u64 own, __u64 container_ns)
{
	struct scratch *scratch = the_scratch();
	struct family *f;

	if (!scratch)
		return 0;
	f = &scratch->family;
	f->top = task;
	f->outside = 0;
	f->counted = 0;
	for (int i = 0; i < FOREBEARS; i++) {
		struct task_struct *parent =
			BPF_CORE_READ((struct task_struct *)task, real_parent, group_leader);

		if (!parent || (__u64)parent == task)
			return 0;
		if (!below((__u64)parent, own)) {
			f->outside = (__u64)parent;
			return 0;
		}
		if (container_ns && (__u64)exe_ns(parent, 0) == container_ns)
			f->counted = 1;
		task = (__u64)parent;
		f->top = task;
	}
	return 0;
}

/* first_phase decides whether a container is starting: it is if its first process is younger than
 * the tracer. User space corrects this once it hears from the engine. */
static __noinline int first_phase(struct group *g, __u64 own)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task(), *first;
	struct scratch *scratch = the_scratch();
	struct pid_namespace *ns;
	struct upid_at at = {};

	if (!scratch)
		return PHASE_UNSET;
	upid(task, &at);
	ns = at.ns;
	first = BPF_CORE_READ(ns, child_reaper);
	if (!below((__u64)first, own)) { /* it has no PID namespace of its own, or not yet */
		trace_back((__u64)BPF_CORE_READ(task, group_leader), own, 0);
		first = (struct task_struct *)scratch->family.top;
	}
	g->phase = BPF_CORE_READ(first, start_boottime) < opened ? PHASE_RUN : PHASE_START;
	return g->phase;
}

/* origin_of tells the tree of the container's first process from those that exec put beside it. The
 * first process is number 1 of its PID namespace, or the first one found where the container shares
 * the outside's namespace. */
static __always_inline __u8 origin_of(struct family *f, struct group *g)
{
	struct task_struct *at = (struct task_struct *)f->top;
	struct upid_at top = {}, outside = {};
	__u64 start;

	upid(at, &top);
	if (f->outside)
		upid((struct task_struct *)f->outside, &outside);
	if (top.ns != outside.ns)
		return top.nr == 1 ? ORIGIN_INIT : ORIGIN_EXEC;
	start = BPF_CORE_READ(at, start_boottime);
	if (!g->init_start)
		g->init_start = start;
	return g->init_start == start ? ORIGIN_INIT : ORIGIN_EXEC;
}

/* belongs reports whether the task runs a program of the container's and no longer the runtime's.
 * Names do not decide, since a process can give itself any. The program's mount does: it must be in
 * the task's own mount namespace, and that must not be the one outside. A process of the container
 * may break this rule later (a memfd, another namespace): once it belongs, it and its children
 * always do. */
static __always_inline bool belongs(struct task_struct *task, struct group *g, struct family *f,
	__u64 start)
{
	struct mnt_namespace *ns = exe_ns(task, g->mnt_ns);
	struct task_struct *outside = (struct task_struct *)f->outside;

	if (f->counted || (ns && (__u64)ns == g->mnt_ns))
		return true;
	if (ns && outside && ns != BPF_CORE_READ(outside, nsproxy, mnt_ns)) {
		if (!g->mnt_ns)
			g->mnt_ns = (__u64)ns;
		return true;
	}
	return start + SETTLED < opened;
}
