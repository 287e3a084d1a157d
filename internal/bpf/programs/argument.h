/* What the arguments of a system call tell about a check. Some capabilities' rules need it. */
#pragma once

enum {
	ARG_NONE, ARG_FOREIGN, ARG_SAVED, ARG_CURRENT, ARG_SET_ID_BIT, ARG_NO_SET_ID, ARG_RAISE,
	ARG_NO_RAISE, ARG_INHERIT_WITHIN, ARG_INHERIT_MORE, ARG_LOOK, ARG_AMBIENT,
};

enum {
	CAP_FOWNER = 3, CAP_FSETID = 4, CAP_SETGID = 6, CAP_SETUID = 7, CAP_SETPCAP = 8,
	CAP_SYS_RESOURCE = 24, CAP_MKNOD = 27,
};

#define KEEP 0xffffffff /* setre*id, setres*id: leave this one */

/* ids are the user or group ids of a process, in the initial user namespace. */
struct ids { __u32 real, effective, saved, fs; };

static __always_inline void ids_of(const struct cred *cred, bool group, struct ids *i,
	const bool known)
{
	if (group) {
		i->real = get(known, cred, gid.val);
		i->effective = get(known, cred, egid.val);
		i->saved = get(known, cred, sgid.val);
		i->fs = get(known, cred, fsgid.val);
	} else {
		i->real = get(known, cred, uid.val);
		i->effective = get(known, cred, euid.val);
		i->saved = get(known, cred, suid.val);
		i->fs = get(known, cred, fsuid.val);
	}
}

/* outer maps an id of the caller's user namespace to the initial one's (map_id_down in
 * kernel/user_namespace.c). It returns false where it cannot tell. */
static __always_inline bool outer(struct uid_gid_map *map, __u32 *id)
{
	if (*id == KEEP)
		return true;
	for (int i = 0; i < 5; i++) {
		if (i >= map->nr_extents)
			break;
		if (*id - map->extent[i].first < map->extent[i].count) {
			*id = *id - map->extent[i].first + map->extent[i].lower_first;
			return true;
		}
	}
	return false;
}

/* asked are the ids that a call names. */
struct asked { __u32 a, b, c; };

static __noinline int outer_ids_of(struct user_namespace *ns, bool group, struct asked *ids)
{
	struct uid_gid_map map = {};

	if (group)
		bpf_core_read(&map, sizeof(map), &ns->gid_map);
	else
		bpf_core_read(&map, sizeof(map), &ns->uid_map);
	if (map.nr_extents > 5)
		return false;
	return outer(&map, &ids->a) && outer(&map, &ids->b) && outer(&map, &ids->c);
}

static __always_inline bool outer_ids(const struct cred *cred, bool group, struct asked *ids,
	const bool known)
{
	struct user_namespace *ns = get(known, cred, user_ns);

	return !get(known, ns, level) || outer_ids_of(ns, group, ids);
}

/* set_id follows __sys_setuid and __sys_setgid (kernel/sys.c). Both check first, and need the
 * capability only for an id that is neither the real nor the saved one. */
static __always_inline __u8 set_id(struct ids *i, __u32 id)
{
	if (id != i->real && id != i->saved)
		return ARG_FOREIGN;
	return i->real == i->effective && i->effective == i->saved ? ARG_CURRENT : ARG_SAVED;
}

#define OWN(i, id) ((id) == KEEP || (id) == (i)->real || (id) == (i)->effective || \
	(id) == (i)->saved)

static __always_inline __u8 id_argument(bool group, __s64 nr, struct pt_regs *regs,
	const struct cred *cred, const bool known)
{
	struct asked id = {ARG0(regs), KEEP, KEEP};
	struct ids i;

	if (nr == NR_setreuid || nr == NR_setregid || nr == NR_setresuid || nr == NR_setresgid)
		id.b = ARG1(regs);
	if (nr == NR_setresuid || nr == NR_setresgid)
		id.c = ARG2(regs);
	if (!outer_ids(cred, group, &id, known))
		return ARG_NONE;
	ids_of(cred, group, &i, known);
	if (nr == NR_setuid || nr == NR_setgid)
		return set_id(&i, id.a);
	if ((nr == NR_setfsuid || nr == NR_setfsgid) && id.a == i.fs)
		return ARG_CURRENT;
	if ((nr == NR_setreuid || nr == NR_setregid) && id.a != KEEP && id.a != i.real &&
		id.a != i.effective)
		return ARG_FOREIGN;
	return OWN(&i, id.a) && OWN(&i, id.b) && OWN(&i, id.c) ? ARG_CURRENT : ARG_FOREIGN;
}

#define S_SETID 06000

static __always_inline __u8 mode_argument(__s64 nr, struct pt_regs *regs)
{
	__u64 mode;

	if (nr == NR_chmod || nr == NR_fchmod || nr == NR_mknod)
		mode = ARG1(regs);
	else if (nr == NR_fchmodat || nr == NR_fchmodat2 || nr == NR_mknodat)
		mode = ARG2(regs);
	else
		return ARG_NONE;
	return mode & S_SETID ? ARG_SET_ID_BIT : ARG_NO_SET_ID;
}

/* limit_argument follows do_prlimit (kernel/sys.c), for a process's own limits. */
static __always_inline __u8 limit_argument(__s64 nr, struct pt_regs *regs,
	struct task_struct *task, __u32 tgid)
{
	struct rlimit want, have;
	__u64 which, from;

	if (nr == NR_setrlimit) {
		which = ARG0(regs);
		from = ARG1(regs);
	} else if (nr == NR_prlimit64) {
		__u32 pid = ARG0(regs);
		if (pid && pid != tgid) /* another process, or a number of another PID namespace */
			return ARG_NONE;
		which = ARG1(regs);
		from = ARG2(regs);
	} else {
		return ARG_NONE;
	}
	if (which >= 16 || bpf_probe_read_user(&want, sizeof(want), (void *)from))
		return ARG_NONE;
	char *limits = (char *)BPF_CORE_READ(task, signal) +
		bpf_core_field_offset(struct signal_struct, rlim);
	if (bpf_probe_read_kernel(&have, sizeof(have), limits + which * sizeof(have)))
		return ARG_NONE;
	return want.rlim_max > have.rlim_max ? ARG_RAISE : ARG_NO_RAISE;
}

struct cap_data { __u32 effective, permitted, inheritable; };

/* capset_asks returns the capabilities that a capset(2) asks to have, or to hand on. */
static __noinline __u64 capset_asks(struct pt_regs *regs, bool inheritable)
{
	const __u32 version_1 = 0x19980330; /* the other versions have two words */
	struct cap_data low = {}, high = {};
	__u32 version = 0;
	struct cap_data *data = (void *)ARG1(regs);

	bpf_probe_read_user(&version, sizeof(version), (void *)ARG0(regs));
	bpf_probe_read_user(&low, sizeof(low), data);
	if (version != version_1)
		bpf_probe_read_user(&high, sizeof(high), data + 1);
	if (inheritable)
		return low.inheritable | (__u64)high.inheritable << 32;
	return (low.effective | low.permitted) | (__u64)(high.effective | high.permitted) << 32;
}

/* inherit_argument follows cap_inh_is_capped and cap_capset: SETPCAP lets the inheritable set grow
 * beyond the permitted one, but never beyond the bounding set. It reads the request from the
 * caller's memory, as the kernel did a moment ago. */
static __always_inline __u8 inherit_argument(struct pt_regs *regs, const struct cred *cred)
{
	__u64 more = capset_asks(regs, true) &
		~(read_caps(cred, cap_inheritable) | read_caps(cred, cap_permitted));

	return more & read_caps(cred, cap_bset) ? ARG_INHERIT_MORE : ARG_INHERIT_WITHIN;
}

/* argument returns what the arguments tell about a check. known: cred is a typed pointer. */
static __always_inline int argument(__u8 cap, __s64 nr, struct pt_regs *regs,
	const struct cred *cred, const bool known)
{
	switch (cap) {
	case CAP_SETUID:
		if (nr == NR_setuid || nr == NR_setreuid || nr == NR_setresuid || nr == NR_setfsuid)
			return id_argument(false, nr, regs, cred, known);
		return ARG_NONE;
	case CAP_SETGID:
		if (nr == NR_setgid || nr == NR_setregid || nr == NR_setresgid || nr == NR_setfsgid)
			return id_argument(true, nr, regs, cred, known);
		return ARG_NONE;
	case CAP_SETPCAP:
		return nr == NR_capset ? inherit_argument(regs, cred) : ARG_NONE;
	case CAP_SYS_RESOURCE:
		return limit_argument(nr, regs, (struct task_struct *)bpf_get_current_task(),
			bpf_get_current_pid_tgid() >> 32);
	default:
		return mode_argument(nr, regs);
	}
}
