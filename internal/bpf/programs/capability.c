// Counts the capability checks of containers, in the kernel. One recorder, four ways to be called.
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "arch.h"
#include "maps.h"
#include "container.h"
#include "family.h"
#include "provenance.h"
#include "process.h"
#include "argument.h"
#include "spent.h"
#include "record.h"
#include "recent.h"

char gpl[] SEC("license") = "GPL";

/* record counts one check. known: cred and target are typed pointers. room: see current_run. */
static __always_inline int record(void *ctx, const struct cred *cred,
	struct user_namespace *target, int cap, int ret, const bool known, struct run *room)
{
	struct check key = {};
	struct user_namespace *from;
	struct visit v;
	struct tally *t;
	struct group *g;
	struct run *r;

	r = current_run(&v, room);
	if (!r)
		return 0;
	from = get(known, cred, user_ns);
	key.granted = ret == 0;
	if ((__u32)get(known, from, level) > r->process.level)
		key.reach = REACH_NESTED;
	else if (target != from)
		key.reach = reach(ctx, cred, target, known);
	describe(&key, &v.m, cred, cap, known);
	if (ret && key.reach == REACH_OWN)
		key.spent = spent(cred, cap);
	t = tally_in(&key, r, cred);
	if (!t)
		return 0;
	if (stack_due(t)) {
		g = bpf_map_lookup_elem(&groups, &key.own);
		if (g)
			keep_stack(ctx, &key, g);
	}
	count(t, &v.m, cred, cap);
	return 0;
}

/* cap_capable(cred, target, cap, opts) and its result. */
SEC("fexit/cap_capable")
int fexit_cap_capable(__u64 *ctx)
{
	return record(ctx, (const struct cred *)ctx[0], (struct user_namespace *)ctx[1],
		ctx[2], ctx[4], true, NULL);
}

/* cap_capable(cred, target, capable, cap, ret), since 6.14. */
SEC("tp_btf/cap_capable")
int tp_btf_cap_capable(__u64 *ctx)
{
	return record(ctx, (const struct cred *)ctx[0], (struct user_namespace *)ctx[1],
		ctx[3], ctx[4], true, NULL);
}

SEC("raw_tp/cap_capable")
int raw_tp_cap_capable(__u64 *ctx)
{
	return record(ctx, (const struct cred *)ctx[0], (struct user_namespace *)ctx[1],
		ctx[3], ctx[4], false, NULL);
}

/* verdict does what cap_capable does (security/commoncap.c). */
static __noinline int verdict(const struct cred *cred, struct user_namespace *target, int cap)
{
	struct user_namespace *own = BPF_CORE_READ(cred, user_ns);
	int level = BPF_CORE_READ(own, level);
	__u32 euid = BPF_CORE_READ(cred, euid.val);

	for (int i = 0; i < 34; i++) {
		struct user_namespace *parent;
		if (target == own)
			return read_caps(cred, cap_effective) & (1ULL << (cap & 63)) ? 0 : -EPERM;
		if (BPF_CORE_READ(target, level) <= level)
			return -EPERM;
		parent = BPF_CORE_READ(target, parent);
		if (parent == own && BPF_CORE_READ(target, owner.val) == euid)
			return 0;
		target = parent;
	}
	return -EPERM;
}

SEC("kprobe/cap_capable")
int kprobe_cap_capable(struct pt_regs *ctx)
{
	const struct cred *cred = (const struct cred *)KERNEL_ARG0(ctx);
	struct user_namespace *target = (struct user_namespace *)KERNEL_ARG1(ctx);
	int cap = KERNEL_ARG2(ctx);

	return record(ctx, cred, target, cap, verdict(cred, target, cap), false, NULL);
}

/* On some kernels, such as Debian's before 6.14, the compiler inlined cap_capable into its callers
 * in the same file (security/commoncap.c), so the hooks above miss their checks. Two of these
 * callers count: capset, and prctl(PR_SET_SECUREBITS). cap_vm_enough_memory is never a need, and
 * cap_mmap_addr is about addresses below vm.mmap_min_addr. User space attaches these programs only
 * to such kernels. */

#define PR_SET_SECUREBITS 28

static __always_inline int record_setpcap(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	const struct cred *cred = BPF_CORE_READ(task, cred);
	struct user_namespace *own = BPF_CORE_READ(cred, user_ns);
	struct run room = {};

	return record(ctx, cred, own, CAP_SETPCAP, verdict(cred, own, CAP_SETPCAP), false, &room);
}

SEC("fexit/cap_capset")
int fexit_cap_capset(__u64 *ctx)
{
	return record_setpcap(ctx);
}

SEC("kprobe/cap_capset")
int kprobe_cap_capset(struct pt_regs *ctx)
{
	return record_setpcap(ctx);
}

SEC("fexit/cap_task_prctl")
int fexit_cap_task_prctl(__u64 *ctx)
{
	/* 5.10 leaves the upper half of an int as it was */
	return (__u32)ctx[0] == PR_SET_SECUREBITS ? record_setpcap(ctx) : 0;
}

SEC("kprobe/cap_task_prctl")
int kprobe_cap_task_prctl(struct pt_regs *ctx)
{
	return (__u32)KERNEL_ARG0(ctx) == PR_SET_SECUREBITS ? record_setpcap(ctx) : 0;
}

#include "prctl.h"
