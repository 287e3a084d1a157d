/* Whether a denied check shows that the container's bounding set lacks something. */
#pragma once

/* CAP_FS_MASK: what setfsuid(2) takes from, and gives back to, the effective set. */
#define FS_CAPS (1ULL << 0 | 1ULL << 1 | 1ULL << 2 | 1ULL << 3 | 1ULL << 4 | 1ULL << 9 | \
	1ULL << 27 | 1ULL << 32)
#define KEEP_CAPS (1 << 4) /* SECURE_KEEP_CAPS: it means to keep its capabilities */

/* root_of returns the id that user 0 of the process's user namespace has outside. */
static __always_inline __u32 root_of(const struct cred *cred)
{
	struct user_namespace *ns = BPF_CORE_READ(cred, user_ns);
	struct uid_gid_map map = {};
	__u32 root = 0;

	if (!BPF_CORE_READ(ns, level))
		return 0;
	bpf_core_read(&map, sizeof(map), &ns->uid_map);
	return map.nr_extents <= 5 && outer(&map, &root) ? root : 0;
}

/* spent reports whether the check would have been denied with a larger bounding set too. After an
 * exec, user 0 has the whole bounding set (handle_privileged_root in security/commoncap.c), and
 * loses it when the last of its ids leaves 0 (cap_emulate_setxuid). So a process that has less than
 * the bounding set gave the rest up. Where nothing is left to compare, the ids decide. */
static __noinline int spent(const struct cred *cred, int cap)
{
	__u64 effective = read_caps(cred, cap_effective), bounding = read_caps(cred, cap_bset);
	__u64 apart = 0;
	__u32 euid = BPF_CORE_READ(cred, euid.val), fsuid = BPF_CORE_READ(cred, fsuid.val);
	__u32 root = root_of(cred);

	if (fsuid != euid)
		apart = FS_CAPS;
	if (apart & (1ULL << (cap & 63)))
		return fsuid != root;
	if (bounding & ~effective & ~apart)
		return 1;
	if (effective & ~apart)
		return 0;
	return euid != root && !(BPF_CORE_READ(cred, securebits) & KEEP_CAPS);
}
