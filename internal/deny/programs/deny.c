/* Denies capabilities to containers, and records what it denied with the tracer's recorder.
 *
 * Denied is only what the kernel would have granted by the container's own rights: see
 * is_containers. Everything else, and every doubt, is left to the kernel. */
#include "../../bpf/programs/kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../../bpf/programs/arch.h"
#include "../../bpf/programs/maps.h"
#include "../../bpf/programs/container.h"
#include "../../bpf/programs/family.h"
#include "../../bpf/programs/provenance.h"
#include "../../bpf/programs/process.h"
#include "../../bpf/programs/argument.h"
#include "../../bpf/programs/record.h"

#ifndef barrier
#define barrier() asm volatile("" ::: "memory")
#endif

char gpl[] SEC("license") = "GPL";

struct container_id { char digits[64]; };

struct expectation {
	__u64 caps;
	__u64 until; /* CLOCK_BOOTTIME; 0: without an end */
};

/* denied holds what user space denies, by a container's own cgroup. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, __u64);
	__uint(max_entries, 4096);
} denied SEC(".maps");

/* expected holds what it denies by a container's id, whatever cgroup that has or will have. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct container_id);
	__type(value, struct expectation);
	__uint(max_entries, 4096);
} expected SEC(".maps");

/* place is what a task's cgroup means, as long as nothing was changed. Its first field says whose
 * it is, since a place is used again at once: it is written first and read last. */
struct place {
	__u64 id;   /* of the cgroup */
	__u64 own;  /* id of the container's own cgroup, this one or one above; 0: none */
	__u64 caps; /* denied there */
	__u64 generation;
	struct expectation expected; /* denied there until then */
};

/* places is looked into at each check. It keeps the latest, so that no number of cgroups fills it
 * while nobody is there to clear it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u64);
	__type(value, struct place);
	__uint(max_entries, 16384);
} places SEC(".maps");

struct counted { __u64 own, cap; };

/* counts are exact. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct counted);
	__type(value, __u64);
	__uint(max_entries, 8192);
} counts SEC(".maps");

/* news wakes user space: the id of a container with a new kind of denial, or one not recorded. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} news SEC(".maps");

#define LATELY 32 /* a power of two */

/* desk is one processor's. The scratch is not for two: where the kernel preempts, or runs a program
 * within itself, the second goes without it. */
struct desk {
	struct place place;
	__u64 busy;
	struct place lately[LATELY]; /* what was found here last, to save looking into places */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct desk);
	__uint(max_entries, 1);
} desks SEC(".maps");

/* What user space sets: all capabilities that are denied anywhere, and a number that it raises
 * after each change, so that places are found anew. */
volatile __u64 anywhere;
volatile __u64 generation; /* 0: nothing has been denied yet */

__u64 lost_counts; /* denied checks that are counted nowhere else: no room */
__u64 missed;      /* checks that were left to the kernel because they could not be looked at */

static __always_inline struct desk *the_desk(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&desks, &zero);
}

static __always_inline bool sits_down(struct desk *d)
{
	if (!d || d->busy)
		return false;
	d->busy = 1;
	return true;
}

static __always_inline struct desk *sit_down(void)
{
	struct desk *d = the_desk();

	return sits_down(d) ? d : NULL;
}

static __always_inline void stand_up(struct desk *d) { d->busy = 0; }

/* named_by_cgroup looks for a cgroup that user space named and whose name is no container's. */
static __always_inline void named_by_cgroup(struct place *place, const __u64 *ancestors)
{
	for (int i = 0; i < ANCESTORS; i++) {
		__u64 id = ancestors[i], *caps = bpf_map_lookup_elem(&denied, &id);

		if (caps) {
			place->own = id;
			place->caps = *caps;
			return;
		}
	}
}

/* find_place finds out what a cgroup means. */
static __noinline struct place *find_place(struct desk *d, __u64 id)
{
	struct scratch *scratch = the_scratch();
	struct place *place = &d->place;
	struct expectation *e;
	struct sighting *s;
	__u64 *caps;

	if (!scratch)
		return NULL;
	s = &scratch->sighting;
	place->id = id;
	place->own = place->caps = place->expected.caps = 0;
	place->generation = generation; /* before anything is read that it stands for */
	__builtin_memset(s->ancestors, 0, sizeof(s->ancestors));
	find_container(bpf_get_current_task());
	if (s->first) {
		place->own = s->first;
		caps = bpf_map_lookup_elem(&denied, &place->own);
		if (caps)
			place->caps = *caps;
		/* "docker-" or "libpod-" stands before the id, or nothing does */
		e = bpf_map_lookup_elem(&expected, s->name[6] == '-' ? &s->name[7] : &s->name[0]);
		if (e)
			place->expected = *e;
	} else {
		named_by_cgroup(place, s->ancestors);
	}
	bpf_map_update_elem(&places, &id, place, BPF_ANY); /* no room: found anew next time */
	return place;
}

static __always_inline bool denied_at(struct place *place, __u64 cap)
{
	struct expectation *e = &place->expected;

	if (place->caps >> cap & 1)
		return true;
	return e->caps >> cap & 1 && (!e->until || bpf_ktime_get_boot_ns() < e->until);
}

/* cgroup_here returns the id of the running task's cgroup. */
static __always_inline __u64 cgroup_here(void)
{
	if (typed_task)
		return current_typed()->cgroups->dfl_cgrp->kn->id;
	return bpf_get_current_cgroup_id();
}

/* remember keeps a place at a desk, by whoever sits there. Its id is there only while it is
 * whole. */
static __always_inline void remember(struct desk *d, struct place *place, __u64 id)
{
	struct place *at = &d->lately[id & (LATELY - 1)];

	((volatile struct place *)at)->id = 0;
	barrier();
	at->own = place->own;
	at->caps = place->caps;
	at->generation = place->generation;
	at->expected = place->expected;
	barrier();
	if (((volatile struct place *)place)->id == id)
		((volatile struct place *)at)->id = id;
}

/* known_place returns what is known of a cgroup, whether still true or not; NULL if nothing is. */
static __always_inline struct place *known_place(struct desk *d, __u64 id)
{
	struct place *place;

	if (d && d->lately[id & (LATELY - 1)].id == id)
		return &d->lately[id & (LATELY - 1)];
	place = bpf_map_lookup_elem(&places, &id);
	if (place && place->generation == generation && sits_down(d)) {
		remember(d, place, id);
		stand_up(d);
	}
	return place;
}

/* denied_here reports whether cap is denied to the container that the running task is in. */
static __always_inline bool denied_here(__u64 cap, __u64 *own)
{
	__u64 id = cgroup_here(), known = 0;
	struct desk *d = the_desk();
	struct place *place = known_place(d, id);
	bool is = false;

	if (place) {
		is = denied_at(place, cap);
		*own = place->own;
		known = place->generation;
		barrier();
		if (((volatile struct place *)place)->id != id)
			known = 0;
	}
	if (!known || known != generation) {
		if (!sits_down(d)) {
			__sync_fetch_and_add(&missed, 1);
			return false;
		}
		place = find_place(d, id);
		is = place && denied_at(place, cap);
		if (place)
			*own = place->own;
		stand_up(d);
	}
	return is;
}

static __always_inline struct group *group_of(__u64 own)
{
	struct group *g = bpf_map_lookup_elem(&groups, &own), fresh = {.own = own};

	if (g)
		return g;
	bpf_map_update_elem(&groups, &own, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&groups, &own);
}

/* program_here is program_of for whoever may have to do without the scratch. */
static __always_inline struct process *program_here(struct moment *m, struct group *g, __u64 own)
{
	__u32 tgid = m->tgid;
	struct process *p = bpf_map_lookup_elem(&processes, &tgid);
	struct desk *d;

	if (same_program(p, m, own))
		return p;
	d = sit_down();
	if (!d)
		return NULL;
	p = program_of(m, g, own);
	stand_up(d);
	return p;
}

/* is_containers reports whether the kernel would grant the check by what the container was given:
 * a program of the container's, and no longer the runtime's, acts with its own credentials, which
 * have the capability in effect, on its own user namespace, and did not make that itself. */
static __always_inline bool is_containers(struct process *p, struct moment *m,
	const struct cred *cred, struct user_namespace *target, __u64 cap)
{
	struct user_namespace *own = cred->user_ns;
	__u32 level = own->level;

	if (!p->counted || cred != m->real_cred || target != own)
		return false;
	if (p->level == NO_LEVEL ? level != 0 : level > p->level)
		return false;
	return read_caps(cred, cap_effective) >> cap & 1;
}

static __always_inline __u64 count_exactly(__u64 own, __u64 cap)
{
	struct counted key = {.own = own, .cap = cap};
	__u64 zero = 0, *n = bpf_map_lookup_elem(&counts, &key);

	if (!n) {
		bpf_map_update_elem(&counts, &key, &zero, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&counts, &key);
	}
	if (!n) {
		__sync_fetch_and_add(&lost_counts, 1);
		return 0;
	}
	__sync_fetch_and_add(n, 1);
	return *n;
}

/* keep records a denied check, and reports whether it is a new kind, or could not be recorded. */
static __always_inline bool keep(__u64 *ctx, struct moment *m, struct process *p, struct group *g,
	const struct cred *cred, int cap, __u64 own, __u64 n)
{
	struct check key = {.own = own};
	bool fresh;
	struct tally *t;

	describe(&key, m, cred, cap, true);
	name_program(&key, p, g);
	t = tally_of(&key, p, g, cred);
	if (!t)
		return !(n & (n - 1)); /* now and then */
	fresh = !t->count;
	if (stack_due(t))
		fresh |= keep_stack(ctx, &key, g) == 1;
	count(t, m, cred, cap);
	return fresh;
}

/* deny returns what the hook returns: 0 leaves the check to the kernel. */
static __always_inline int deny(__u64 *ctx)
{
	const struct cred *cred = (const struct cred *)ctx[0];
	struct user_namespace *target = (struct user_namespace *)ctx[1];
	__u64 cap = (__u32)ctx[2], own = 0, n;
	struct process *p;
	struct moment m;
	struct group *g;
	struct desk *d;

	if (cap > 63 || !(anywhere >> cap & 1) || !denied_here(cap, &own) || !observe(&m))
		return 0;
	g = group_of(own);
	p = g ? program_here(&m, g, own) : NULL;
	if (!p) {
		__sync_fetch_and_add(&missed, 1);
		return 0;
	}
	if (!is_containers(p, &m, cred, target, cap))
		return 0;
	n = count_exactly(own, cap);
	d = sit_down();
	if (!d) {
		lose(own);
		return -EPERM;
	}
	if (keep(ctx, &m, p, g, cred, cap, own, n))
		bpf_ringbuf_output(&news, &own, sizeof(own), 0);
	stand_up(d);
	return -EPERM;
}

/* security_capable(cred, ns, cap, opts): what is not 0 is returned in its place. */
SEC("fmod_ret/security_capable")
int fmod_ret_security_capable(__u64 *ctx)
{
	return deny(ctx);
}

SEC("lsm/capable")
int lsm_capable(__u64 *ctx)
{
	return deny(ctx);
}
