/* Which container a cgroup belongs to.
 *
 * Functions that are not static are so for the verifier: it checks each once, by itself, and not
 * again for every path that leads to it. Older kernels let them take numbers only, so pointers are
 * passed as numbers. */
#pragma once

/* read_caps reads a set as a number, whatever type it has: see kernel_cap_t. */
#define read_caps(cred, set) ({ \
	__u64 mask = 0; \
	bpf_probe_read_kernel(&mask, sizeof(mask), \
		(char *)(cred) + bpf_core_field_offset(struct cred, set)); \
	mask; })

#define DEPTH 24   /* levels of cgroups that are searched */
#define NESTED 256 /* cgroups remembered of one container, which may make any number */

/* id_at reports whether 64 hex digits stand at text[from]. It has no branches, since the verifier
 * would follow each. */
static __always_inline bool id_at(const char *text, __u32 from)
{
	__u32 bad = 0;

	for (__u32 i = 0; i < 64; i++) {
		__u8 c = text[(from + i) & (CONTAINER_NAME - 1)];
		bad |= ((__u8)(c - '0') > 9) & ((__u8)(c - 'a') > 5);
	}
	return !bad;
}

static __always_inline bool word_at(const char *text, __u32 from, const char *word, __u32 n)
{
	__u32 other = 0;

	for (__u32 i = 0; i < n; i++)
		other |= text[(from + i) & (CONTAINER_NAME - 1)] ^ word[i];
	return !other;
}

/* is_container reports whether the name in the scratch is that of a container's cgroup: "<id>",
 * "docker-<id>.scope", "libpod-<id>.scope" or "libpod-<id>". n counts the final 0. */
__noinline int is_container(__u32 n)
{
	struct scratch *scratch = the_scratch();
	const char *text;

	if (!scratch)
		return 0;
	text = scratch->sighting.name;
	if (n == 64 + 1)
		return id_at(text, 0);
	if (n != 7 + 64 + 1 && n != 7 + 64 + 6 + 1)
		return 0;
	if (!word_at(text, 0, "docker-", 7) && !word_at(text, 0, "libpod-", 7))
		return 0;
	if (n == 7 + 64 + 6 + 1 && !word_at(text, 7 + 64, ".scope", 6))
		return 0;
	return id_at(text, 7);
}

/* find_container walks up from a task's cgroup to the outermost one that looks like a container's,
 * and fills the sighting in the scratch; first there is then the id of the container's own cgroup,
 * or 0. It takes the outermost, so that a container cannot pass for another by giving one of its
 * own cgroups that one's name. It does not look past what dropcap can see, since dropcap may run in
 * a container itself. */
__noinline int find_container(__u64 task)
{
	struct cgroup *c = BPF_CORE_READ((struct task_struct *)task, cgroups, dfl_cgrp);
	struct scratch *scratch = the_scratch();
	const char *name = NULL;
	struct sighting *s;
	__u32 above = 0;

	if (!scratch)
		return 0;
	s = &scratch->sighting;
	s->first = 0;
	for (int i = 0; i < DEPTH && c; i++) {
		struct kernfs_node *kn = BPF_CORE_READ(c, kn);
		const char *here = BPF_CORE_READ(kn, name);
		__u64 id = BPF_CORE_READ(kn, id);
		__s64 n;

		if (id == root_cgroup)
			break;
		n = bpf_probe_read_kernel_str(s->name, sizeof(s->name), here);
		if (n > 0 && is_container(n)) {
			s->first = id;
			name = here;
			above = 0;
			__builtin_memset(s->ancestors, 0, sizeof(s->ancestors));
		} else if (above < ANCESTORS) {
			s->ancestors[above & (ANCESTORS - 1)] = id;
			above++;
		}
		c = BPF_CORE_READ(c, self.parent, cgroup);
	}
	bpf_probe_read_kernel_str(s->name, sizeof(s->name), name);
	return 0;
}

/* below reports whether a task's cgroup is the container's own or under it. */
__noinline int below(__u64 task, __u64 own)
{
	struct cgroup *c = BPF_CORE_READ((struct task_struct *)task, cgroups, dfl_cgrp);

	for (int i = 0; i < DEPTH && c; i++) {
		if (BPF_CORE_READ(c, kn, id) == own)
			return 1;
		c = BPF_CORE_READ(c, self.parent, cgroup);
	}
	return 0;
}

static __always_inline void sight(struct sighting *s, __u64 own)
{
	s->first = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&sightings, &own, s, BPF_ANY))
		__sync_fetch_and_add(&lost_sightings, 1);
}

/* remember_nested keeps a cgroup below a container's, unless it has too many. */
static __always_inline void remember_nested(struct group *container, __u64 own, __u64 id)
{
	struct group nested = {.own = own};

	if (container->nested >= NESTED)
		return;
	__sync_fetch_and_add(&container->nested, 1);
	bpf_map_update_elem(&groups, &id, &nested, BPF_NOEXIST);
}

/* first_sight finds out what the cgroup is, remembers it, and returns the container's group, or
 * NULL where there is none. */
static __noinline struct group *first_sight(__u64 id)
{
	struct group fresh = {}, *container;
	struct scratch *scratch;
	__u64 own;

	scratch = the_scratch();
	if (!scratch)
		return NULL;
	find_container(bpf_get_current_task());
	own = fresh.own = scratch->sighting.first;
	if (!own) {
		bpf_map_update_elem(&groups, &id, &fresh, BPF_NOEXIST);
		return NULL;
	}
	container = bpf_map_lookup_elem(&groups, &own);
	if (!container) {
		if (!bpf_map_update_elem(&groups, &own, &fresh, BPF_NOEXIST))
			sight(&scratch->sighting, own);
		container = bpf_map_lookup_elem(&groups, &own);
		if (!container) {
			__sync_fetch_and_add(&lost_group, 1);
			return NULL;
		}
	}
	if (own != id)
		remember_nested(container, own, id);
	return container;
}

/* current_container returns the watched container that the running task belongs to, or NULL. id is
 * that of the task's cgroup, *own then that of the container's. *unwatched: nothing watches it, and
 * nothing will until user space changes something. */
static __always_inline struct group *current_container(__u64 id, __u64 *own, bool *unwatched)
{
	struct group *g = bpf_map_lookup_elem(&groups, &id);

	*unwatched = false;
	if (!g)
		g = first_sight(id);
	if (!g)
		return NULL;
	*unwatched = !g->own;
	if (!g->own)
		return NULL;
	*own = g->own;
	if (g->own != id) {
		g = bpf_map_lookup_elem(&groups, own);
		if (!g)
			return NULL;
	}
	*unwatched = g->watch == WATCH_OFF || (g->watch == WATCH_DEFAULT && !watch_all);
	return *unwatched ? NULL : g;
}
