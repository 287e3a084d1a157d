/* What a program does with its own sets without any check. It may ask whether the bounding set has
 * a capability, and do without; or raise one to the ambient set, and end if it cannot. The hooks
 * run before the kernel acts, so the programs here compute the result. */
#pragma once

enum {
	PR_CAPBSET_READ = 23, PR_SET_MM = 35, PR_SET_MM_EXE_FILE = 13, PR_SET_MM_MAP = 14,
	PR_CAP_AMBIENT = 47, PR_CAP_AMBIENT_RAISE = 2,
};

/* wish is what a program does with its own sets. */
struct wish { __u64 cap, of; __u8 arg; };

static __always_inline bool wished(__u32 option, __u64 a, __u64 b, const struct cred *cred,
	struct wish *w)
{
	switch (option) {
	case PR_CAPBSET_READ:
		w->cap = a;
		w->of = read_caps(cred, cap_bset);
		w->arg = ARG_LOOK;
		return true;
	case PR_CAP_AMBIENT:
		w->cap = b;
		w->of = read_caps(cred, cap_permitted) & read_caps(cred, cap_inheritable);
		w->arg = ARG_AMBIENT;
		return a == PR_CAP_AMBIENT_RAISE;
	default:
		return false;
	}
}

/* forge notes that a process may have named another file as its executable, as SYS_RESOURCE allows.
 * What was judged before stays as it was. */
static __noinline int forge(__u64 own)
{
	struct home *h = bpf_map_lookup_elem(&homes, &own);

	if (h)
		h->forged = 1;
	return 0;
}

static __noinline int record_prctl(__u32 option, __u64 a, __u64 b)
{
	const struct cred *cred;
	struct check key = {};
	struct wish w = {};
	struct process *p;
	struct moment m;
	struct tally *t;
	struct group *g;
	bool unwatched;

	g = current_container(bpf_get_current_cgroup_id(), &key.own, &unwatched);
	if (!g || !observe(&m))
		return 0;
	p = program_of(&m, g, key.own);
	if (!p || !p->counted)
		return 0;
	if (option == PR_SET_MM)
		return a == PR_SET_MM_EXE_FILE || a == PR_SET_MM_MAP ? forge(key.own) : 0;
	cred = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), cred);
	if (!wished(option, a, b, cred, &w) || (__u32)BPF_CORE_READ(cred, user_ns, level) > p->level)
		return 0;
	key.syscall = m.syscall;
	key.cap = w.cap < 63 ? w.cap : 63; /* which is none */
	key.granted = w.of >> key.cap & 1;
	key.own_cred = true;
	key.arg = w.arg;
	name_program(&key, p, g);
	t = tally_of(&key, p, g, cred);
	if (t)
		__sync_fetch_and_add(&t->count, 1);
	return 0;
}

static __always_inline int called_prctl(__u32 option, __u64 a, __u64 b)
{
	if (option != PR_CAPBSET_READ && option != PR_CAP_AMBIENT && option != PR_SET_MM)
		return 0;
	return record_prctl(option, a, b);
}

/* security_task_prctl(option, arg2, arg3, arg4, arg5), which every prctl(2) calls first. */
SEC("fentry/security_task_prctl")
int fentry_security_task_prctl(__u64 *ctx)
{
	return called_prctl(ctx[0], ctx[1], ctx[2]);
}

SEC("kprobe/security_task_prctl")
int kprobe_security_task_prctl(struct pt_regs *ctx)
{
	return called_prctl(KERNEL_ARG0(ctx), KERNEL_ARG1(ctx), KERNEL_ARG2(ctx));
}

struct syscall_enter { __u64 common; __s64 number; __u64 args[6]; };

SEC("tp/syscalls/sys_enter_prctl")
int tracepoint_sys_enter_prctl(struct syscall_enter *ctx)
{
	return called_prctl(ctx->args[0], ctx->args[1], ctx->args[2]);
}
