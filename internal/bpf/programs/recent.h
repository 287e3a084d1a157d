/* Which program run makes a check. It is found out once and then remembered, since to look it up
 * costs more than all else about a check. */
#pragma once

/* run is a program run in a container that is watched, as its last check found it. */
struct run {
	__u64 cgroup; /* id of the task's own */
	__u64 tick;   /* jiffies */
	__u32 tgid;
	__u32 changes;
	struct process process;
	__u8 phase;
};

/* passed is a cgroup that nothing watches. */
struct passed {
	__u64 cgroup;
	__u64 changes;
};

#define RUNS 16 /* powers of two */
#define PASSED 64

/* recent is what one processor found out last: a check of what is in here looks up nothing but its
 * tally. Whatever user space changes makes all of it void (changes), and a tick makes runs so, so
 * that the map of processes knows which of them are in use. As with the scratch, only one program
 * is here at a time. */
struct recent {
	struct run runs[RUNS];
	struct passed passed[PASSED];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct recent);
	__uint(max_entries, 1);
} recents SEC(".maps");

volatile __u32 changes; /* of watch_all and groups, counted after they are made */

static __always_inline struct recent *the_recent(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&recents, &zero);
}

/* visit is a moment, and where and when it is. */
struct visit {
	struct moment m;
	__u64 cgroup, tick;
	__u32 changes;
};

/* name_run is program_of, into a run: the stack has no room for one more. */
static __always_inline void name_run(struct moment *m, struct group *g, __u64 own, struct run *r)
{
	struct process *p = bpf_map_lookup_elem(&processes, &m->tgid);

	if (same_program(p, m, own)) {
		r->process = *p;
		return;
	}
	__builtin_memset(&r->process, 0, sizeof(r->process));
	r->process.start = m->start;
	r->process.exec_id = m->exec_id;
	r->process.own = own;
	look((struct task_struct *)bpf_get_current_task(), g, &r->process, p);
	bpf_map_update_elem(&processes, &m->tgid, &r->process, BPF_ANY);
}

/* find_run fills in the run that makes a check, and reports whether its checks are counted. It
 * notes a cgroup that nothing watches. */
static __noinline int find_run(struct visit *v, struct run *r, struct recent *recent)
{
	struct group *g;
	bool unwatched;
	__u64 own = 0;

	r->cgroup = 0; /* until it is whole */
	g = current_container(v->cgroup, &own, &unwatched);
	if (unwatched && recent) {
		recent->passed[v->cgroup & (PASSED - 1)].cgroup = v->cgroup;
		recent->passed[v->cgroup & (PASSED - 1)].changes = v->changes;
	}
	if (!g)
		return 0;
	name_run(&v->m, g, own, r);
	r->phase = 0;
	if (r->process.counted)
		r->phase = g->phase ? g->phase : first_phase(g, own);
	r->tgid = v->m.tgid;
	r->tick = v->tick;
	r->changes = v->changes;
	r->cgroup = v->cgroup;
	return r->process.counted;
}

/* is_same reports whether a remembered run is the one that makes a check. */
static __always_inline bool is_same(struct run *r, struct visit *v)
{
	return r->cgroup == v->cgroup && r->tgid == v->m.tgid && r->process.start == v->m.start &&
		r->process.exec_id == v->m.exec_id && r->changes == v->changes && r->tick == v->tick;
}

/* is_passed reports whether nothing watches the cgroup of the task that makes a check. */
static __always_inline bool is_passed(struct recent *recent, struct visit *v)
{
	struct passed *p = &recent->passed[v->cgroup & (PASSED - 1)];

	return p->cgroup == v->cgroup && p->changes == v->changes;
}

/* current_run returns the run that makes a check, or NULL where that is not counted. room is for
 * programs that may interrupt another on their processor: they remember nothing. */
static __always_inline struct run *current_run(struct visit *v, struct run *room)
{
	struct recent *recent = room ? NULL : the_recent();
	struct run *r = room;

	v->changes = changes;
	if (typed_task) {
		struct task_struct *task = current_typed();

		v->cgroup = task->cgroups->dfl_cgrp->kn->id;
		if ((recent && is_passed(recent, v)) || !observe_typed(&v->m, task))
			return NULL;
	} else {
		v->cgroup = bpf_get_current_cgroup_id();
		if ((recent && is_passed(recent, v)) || !observe_untyped(&v->m))
			return NULL;
	}
	v->tick = bpf_jiffies64();
	if (recent) {
		r = &recent->runs[v->m.tgid & (RUNS - 1)];
		if (is_same(r, v))
			return r->process.counted ? r : NULL;
	}
	return r && find_run(v, r, recent) ? r : NULL;
}

/* first_of_kind makes the tally of a kind of check. */
static __noinline struct tally *first_of_kind(struct check *key, __u32 uid)
{
	struct group *g = bpf_map_lookup_elem(&groups, &key->own);

	if (g)
		return new_tally(key, g, uid);
	lose(key->own); /* it was forgotten this moment */
	return NULL;
}

/* tally_in is tally_of, for a run. */
static __always_inline struct tally *tally_in(struct check *key, struct run *r,
	const struct cred *cred)
{
	struct tally *t;

	key->own = r->process.own;
	key->ino = r->process.ino;
	key->dev = r->process.dev;
	key->path = r->process.path;
	key->from = r->process.from;
	key->origin = r->process.origin;
	key->phase = r->phase;
	t = bpf_map_lookup_elem(&checks, key);
	if (!t)
		t = first_of_kind(key, BPF_CORE_READ(cred, uid.val));
	if (!t)
		return NULL;
	touch(t);
	if (r->process.held & ~t->held)
		t->held |= r->process.held;
	return t;
}
