/* What kernel and user space share. The Go types are generated from these. */
#pragma once

#define CONTAINER_NAME 128 /* a power of two; the longest, "libpod-<64>.scope", is 77 */
#define ANCESTORS 8
#define PATH 512
#define FRAMES 24

/* group is what is known of a cgroup. Cgroups outside containers are here too, so that their tasks
 * are passed over at once. User space sets watch and phase by writing the whole struct, which may
 * undo what was counted meanwhile; so nothing that must be exact is in here. */
struct group {
	__u64 own;        /* id of the container's own cgroup, this one or one above; 0: no container */
	__u64 mnt_ns;     /* address of the container's mount namespace, once its own program ran */
	__u64 init_start; /* of the container's first process, where PID namespaces cannot tell it */
	__u32 keys;       /* in use by the container */
	__u32 paths;      /* likewise */
	__u32 nested;     /* cgroups below it that are here */
	__u8 watch;       /* WATCH_… */
	__u8 phase;       /* PHASE_… or a number of user space's */
	__u8 pad[2];
};

enum { WATCH_DEFAULT, WATCH_ON, WATCH_OFF };

/* The phases that programs choose by themselves, until user space does. */
enum { PHASE_UNSET, PHASE_START, PHASE_RUN };

/* sighting is a container's first check. */
struct sighting {
	__u64 first; /* CLOCK_BOOTTIME */
	__u64 ancestors[ANCESTORS]; /* ids, the parent's first; 0 past the root */
	char name[CONTAINER_NAME];
};

/* process holds what all checks of one program run have in common. */
struct process {
	__u64 start, exec_id; /* what tells whether this is still that program */
	__u64 own;
	__u64 ino;
	__u32 dev;
	__u32 path; /* hash of the names on the way to the executable */
	__u64 held; /* when it was looked at: bounding, permitted and inheritable set */
	__u32 level; /* of the container's user namespace */
	__u8 counted; /* false: the runtime's, before it became the container's */
	__u8 origin;
	__u8 from;
	__u8 pad;
};

#define NO_LEVEL 0xffffffff /* of user namespaces: not known */

/* Where an executable comes from. FROM_OLD may not be the image's, but has not changed since the
 * container was started. */
enum { FROM_UNKNOWN, FROM_IMAGE, FROM_WRITTEN, FROM_VOLUME, FROM_MEMORY, FROM_OLD };

enum { ORIGIN_INIT, ORIGIN_EXEC };

struct check {
	__u64 own;
	__u64 ino;
	__u32 dev;
	__u32 path;
	__s32 syscall; /* -1: none; COMPAT is added for the 32-bit table */
	__u8 cap;
	__u8 granted;
	__u8 own_cred;
	__u8 reach;
	__u8 arg;
	__u8 origin;
	__u8 phase;
	__u8 from;
	__u8 spent; /* of a denied check: the process had given rights up by itself */
	__u8 pad[3]; /* named, so that it is zero: the kernel compares keys by their bytes */
};

#define COMPAT 0x10000

struct tally {
	__u64 count;
	__u64 first, last; /* CLOCK_BOOTTIME */
	__u64 tick;        /* jiffies of the last check: reading the clock is slow, so once a jiffy */
	__u64 window;      /* when the present window of stacks began */
	__u64 asked;
	__u64 handed; /* by capset: what is newly in the inheritable set */
	__u64 held;   /* by the programs that made the checks */
	__u32 uid;
	__u32 stacks; /* taken in the window */
};

/* call_stack holds return addresses, the innermost first; 0 past the last. */
struct call_stack {
	__u64 frames[FRAMES];
};

struct call_path {
	struct check check;
	__u64 stack; /* a number in stacks */
};

/* program names an executable of a container. A device and inode are used again after a file is
 * removed, and a path is not enough either. */
struct program {
	__u64 own;
	__u64 ino;
	__u32 dev;
	__u32 path;
};

struct program_path {
	struct program program;
	__u32 begin; /* of the path in text */
	__u32 cut;   /* it is longer than there is room for */
	char text[PATH + 256];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, struct group);
	__uint(max_entries, 16384);
} groups SEC(".maps");

/* home is what a container was made of, as its first process had it at the first look. It never
 * changes. */
struct home {
	__u64 super, dentry; /* of its root: addresses */
	__u64 magic;
	__u64 begun; /* CLOCK_REALTIME, in ns, if it started while we watched; else 0 */
	__u32 level;  /* of its user namespace */
	__u32 forged; /* a process of it may have named another file as its executable */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, struct home);
	__uint(max_entries, 4096);
} homes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, struct sighting);
	__uint(max_entries, 4096);
} sightings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u32);
	__type(value, struct process);
	__uint(max_entries, 16384);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct check);
	__type(value, struct tally);
	__uint(max_entries, 65536);
} checks SEC(".maps");

/* losses are the checks of a container that were not recorded. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, __u64);
	__uint(max_entries, 4096);
} losses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct call_path);
	__type(value, __u64);
	__uint(max_entries, 65536);
} call_paths SEC(".maps");

/* stacks gives each call stack a number. The kernel's own map of stacks has one place for
 * each value of a hash, and loses one of two stacks with the same value. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct call_stack);
	__type(value, __u64);
	__uint(max_entries, 8192);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct program);
	__type(value, __u8);
	__uint(max_entries, 8192);
} programs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} program_paths SEC(".maps");

/* family is what a task's forebears tell. */
struct family {
	__u64 top;     /* the highest that is in the container */
	__u64 outside; /* its parent */
	__u64 counted; /* one of them runs a program of the container */
};

/* scratch is for what the stack has no room for. A program never runs twice at once on one
 * processor: the kernel skips the second run and counts it as a miss. */
struct scratch {
	struct sighting sighting;
	struct program_path path;
	struct family family;
	struct call_stack stack;
	__u64 serial; /* of the last stack that was numbered on this processor */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct scratch);
	__uint(max_entries, 1);
} scratches SEC(".maps");

static __always_inline struct scratch *the_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratches, &zero);
}

/* What user space sets before and while the programs run. */
volatile const __u64 root_cgroup;    /* the highest cgroup that dropcap itself can see */
volatile const __u64 opened;         /* CLOCK_BOOTTIME */
volatile const __u64 wall;           /* how far CLOCK_REALTIME is ahead of CLOCK_BOOTTIME */
volatile const __s64 upper_at;       /* from an overlay's inode to its upper dentry; 0: behind it */
volatile const __u32 keys_each;      /* at most, for one container */
volatile __u8 watch_all;

/* What could not be kept. */
__u64 lost_full;      /* checks: no room for another key */
__u64 lost_group;     /* checks: no room for another cgroup */
__u64 lost_stacks;    /* call paths: no stack, or no room */
__u64 lost_paths;     /* executables' paths: user space did not keep up; tried again */
__u64 lost_sightings; /* containers whose name is not known */
