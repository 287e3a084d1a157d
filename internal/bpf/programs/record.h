/* What is kept of a check, and how: the recorder. The programs that observe and those that deny use
 * the same one. */
#pragma once

/* typed_task reports whether the kernel gives the running task as a typed pointer (since 5.11). */
#define typed_task bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

static struct task_struct *(*current_typed)(void) = (void *)BPF_FUNC_get_current_task_btf;
static struct pt_regs *(*regs_of)(struct task_struct *task) = (void *)BPF_FUNC_task_pt_regs;

/* moment is the task and system call that make a check. */
struct moment {
	struct pt_regs *regs;
	const struct cred *real_cred;
	__u64 start, exec_id;
	__u32 tgid;
	__s32 syscall;
};

#if defined(__TARGET_ARCH_x86)
#define compat(typed, task) (get(typed, task, thread_info.status) & TS_COMPAT)
#else
#define compat(typed, task) false
#endif

static __always_inline void number(struct moment *m, __s64 nr, bool narrow)
{
	m->syscall = nr < 0 || nr >= COMPAT ? -1 : nr;
	if (m->syscall >= 0 && narrow)
		m->syscall += COMPAT;
}

/* observe_typed is for kernels that give the running task as a typed pointer: each call of a
 * helper that it saves makes a check cheaper. */
static __always_inline bool observe_typed(struct moment *m, struct task_struct *task)
{
	if (task->flags & PF_KTHREAD)
		return false;
	m->real_cred = task->real_cred;
	m->tgid = task->tgid;
	m->start = task->group_leader->start_boottime;
	m->exec_id = task->self_exec_id;
	if (typed_regs)
		m->regs = regs_of(task);
	else
		m->regs = (struct pt_regs *)((char *)task->stack + THREAD_SIZE - REGS_SIZE);
	struct pt_regs *regs = m->regs;
	number(m, SYSCALL(regs), compat(true, task));
	return true;
}

static __always_inline bool observe_untyped(struct moment *m)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return false;
	m->real_cred = BPF_CORE_READ(task, real_cred);
	m->tgid = BPF_CORE_READ(task, tgid);
	m->start = BPF_CORE_READ(task, group_leader, start_boottime);
	m->exec_id = BPF_CORE_READ(task, self_exec_id);
	struct pt_regs *regs = m->regs =
		(struct pt_regs *)((char *)BPF_CORE_READ(task, stack) + THREAD_SIZE - REGS_SIZE);
	number(m, SYSCALL(regs), compat(false, task));
	return true;
}

static __always_inline bool observe(struct moment *m)
{
	return typed_task ? observe_typed(m, current_typed()) : observe_untyped(m);
}

static __always_inline bool same_program(struct process *p, struct moment *m, __u64 own)
{
	return p && p->start == m->start && p->exec_id == m->exec_id && p->own == own;
}

/* program_of returns what is known of the program that the task runs. */
static __always_inline struct process *program_of(struct moment *m, struct group *g, __u64 own)
{
	__u32 tgid = m->tgid;
	struct process *p = bpf_map_lookup_elem(&processes, &tgid);
	struct process fresh = {};

	if (same_program(p, m, own))
		return p;
	fresh.start = m->start;
	fresh.exec_id = m->exec_id;
	fresh.own = own;
	look((struct task_struct *)bpf_get_current_task(), g, &fresh, p);
	bpf_map_update_elem(&processes, &tgid, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&processes, &tgid);
}

enum { REACH_OWN, REACH_CHILD, REACH_BEYOND, REACH_NESTED };

__noinline int reach_below(__u64 from, __u64 above)
{
	struct user_namespace *target = (struct user_namespace *)above;

	for (int i = 0; i < 33; i++) { /* 32 levels at most: create_user_ns */
		target = BPF_CORE_READ(target, parent);
		if (!target)
			break;
		if ((__u64)target == from)
			return REACH_CHILD;
	}
	return REACH_BEYOND;
}

/* reach passes the pointers on as numbers, which reach_below takes. The verifier does not let a
 * typed pointer become a number, so that one is read again from the context. */
static __always_inline int reach(void *ctx, const struct cred *cred,
	struct user_namespace *target, const bool known)
{
	__u64 above = 0;

	if (known)
		bpf_probe_read_kernel(&above, sizeof(above), (__u64 *)ctx + 1);
	else
		above = (__u64)target;
	return reach_below((__u64)BPF_CORE_READ(cred, user_ns), above);
}

#define WINDOW 10000000ULL /* ns */
#define STACKS_FIRST 64
#define STACKS_WINDOW 8
#define PATHS_EACH(keys) (2 * (keys)) /* of one container */

/* stack_due reports whether to take a check's call path, since a stack costs more than the check
 * itself. It takes the first ones, then some in each window of time: several in a row, so that a
 * site that always follows another is not missed. */
static __always_inline bool stack_due(struct tally *t)
{
	if (t->count < STACKS_FIRST)
		return true;
	if (t->stacks >= STACKS_WINDOW)
		return false;
	t->stacks++;
	return true;
}

/* touch keeps the time of the last check, to a tick. */
static __always_inline void touch(struct tally *t)
{
	__u64 tick = bpf_jiffies64(), now;

	if (t->tick == tick)
		return;
	t->tick = tick;
	t->last = now = bpf_ktime_get_boot_ns();
	if (now - t->window > WINDOW) {
		t->window = now;
		t->stacks = 0;
	}
}

/* number_of returns the number of the stack in the scratch, or 0 where there is no room for it. No
 * number is used twice. */
static __always_inline __u64 number_of(struct scratch *scratch)
{
	__u64 *known = bpf_map_lookup_elem(&stacks, &scratch->stack), fresh;

	if (known)
		return *known;
	fresh = ++scratch->serial << 16 | bpf_get_smp_processor_id();
	if (!bpf_map_update_elem(&stacks, &scratch->stack, &fresh, BPF_NOEXIST))
		return fresh;
	/* another processor may have been first */
	known = bpf_map_lookup_elem(&stacks, &scratch->stack);
	return known ? *known : 0;
}

/* keep_stack keeps a check's call path, and returns 1 if it is a new one. It counts one that it
 * cannot keep; the key's next checks try again. */
static __noinline int keep_stack(void *ctx, struct check *key, struct group *g)
{
	struct scratch *scratch = the_scratch();
	struct call_path path = {.check = *key};
	__u64 one = 1, *count;

	if (!scratch)
		return 0;
	/* the helper writes only as many frames as there are */
	__builtin_memset(&scratch->stack, 0, sizeof(scratch->stack));
	if (bpf_get_stack(ctx, &scratch->stack, sizeof(scratch->stack), 0) > 0)
		path.stack = number_of(scratch);
	count = path.stack ? bpf_map_lookup_elem(&call_paths, &path) : NULL;
	if (count) {
		__sync_fetch_and_add(count, 1);
		return 0;
	}
	if (path.stack && g->paths < PATHS_EACH(keys_each) &&
		!bpf_map_update_elem(&call_paths, &path, &one, BPF_NOEXIST)) {
		__sync_fetch_and_add(&g->paths, 1);
		return 1;
	}
	if (!path.stack || !bpf_map_lookup_elem(&call_paths, &path)) /* as above */
		__sync_fetch_and_add(&lost_stacks, 1);
	return 0;
}

static __noinline int lose(__u64 own)
{
	__u64 one = 1, *count = bpf_map_lookup_elem(&losses, &own);

	__sync_fetch_and_add(&lost_full, 1);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&losses, &own, &one, BPF_NOEXIST);
	return 0;
}

static __always_inline struct tally *new_tally(struct check *key, struct group *g, __u32 uid)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct tally fresh = {.first = now, .last = now, .window = now, .uid = uid}, *t;

	if (g->keys < keys_each && !bpf_map_update_elem(&checks, key, &fresh, BPF_NOEXIST))
		__sync_fetch_and_add(&g->keys, 1);
	t = bpf_map_lookup_elem(&checks, key); /* another processor may have been first */
	if (!t)
		lose(key->own);
	return t;
}

/* has_argument lists the capabilities whose checks mean different things for different
 * arguments. */
#define has_argument(cap) ((1ULL << (cap)) & (1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | \
	1ULL << CAP_SETGID | 1ULL << CAP_SETUID | 1ULL << CAP_SETPCAP | \
	1ULL << CAP_SYS_RESOURCE | 1ULL << CAP_MKNOD))

/* name_program fills in a key's program and phase. */
static __always_inline void name_program(struct check *key, struct process *p, struct group *g)
{
	key->ino = p->ino;
	key->dev = p->dev;
	key->path = p->path;
	key->from = p->from;
	key->origin = p->origin;
	key->phase = g->phase ? g->phase : first_phase(g, key->own);
}

/* tally_of returns the tally of a kind of check and notes the time of this one. It returns NULL
 * where there is no room. */
static __always_inline struct tally *tally_of(struct check *key, struct process *p, struct group *g,
	const struct cred *cred)
{
	struct tally *t = bpf_map_lookup_elem(&checks, key);

	if (!t)
		t = new_tally(key, g, BPF_CORE_READ(cred, uid.val));
	if (!t)
		return NULL;
	touch(t);
	if (p->held & ~t->held)
		t->held |= p->held;
	return t;
}

/* describe fills in what the check itself says: the capability, the system call with its arguments,
 * and whose credentials were checked. */
static __always_inline void describe(struct check *key, struct moment *m, const struct cred *cred,
	int cap, const bool known)
{
	key->syscall = m->syscall;
	key->cap = cap;
	key->own_cred = cred == m->real_cred;
	key->arg = m->syscall >= 0 && has_argument(cap & 63) ?
		argument(cap, m->syscall, m->regs, cred, known) : ARG_NONE;
}

/* count counts a check in its tally. */
static __always_inline void count(struct tally *t, struct moment *m, const struct cred *cred,
	int cap)
{
	__sync_fetch_and_add(&t->count, 1);
	if (cap == CAP_SETPCAP && m->syscall == NR_capset) {
		t->asked |= capset_asks(m->regs, false);
		t->handed |= capset_asks(m->regs, true) & ~read_caps(cred, cap_inheritable);
	}
}
