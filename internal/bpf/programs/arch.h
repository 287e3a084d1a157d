/* What differs between machines: saved registers and the numbers of system calls. */
#pragma once

/* get reads a field, by a plain load where the verifier knows the pointer's type: a probe read
 * costs several times as much. */
#define get(known, p, field) ((known) ? (p)->field : BPF_CORE_READ(p, field))

/* typed_regs reports whether a task's saved registers come as a typed pointer (since 5.15). */
#define typed_regs bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	unsigned long r10, dx, si, di, orig_ax, ip;
} __attribute__((preserve_access_index));

#define SYSCALL(r) ((__s64)get(typed_regs, r, orig_ax))
#define ARG0(r) get(typed_regs, r, di)
#define ARG1(r) get(typed_regs, r, si)
#define ARG2(r) get(typed_regs, r, dx)

/* The arguments of a kernel function, at its entry. */
#define KERNEL_ARG0(r) BPF_CORE_READ(r, di)
#define KERNEL_ARG1(r) BPF_CORE_READ(r, si)
#define KERNEL_ARG2(r) BPF_CORE_READ(r, dx)

#define THREAD_SIZE 16384 /* for kernels before 5.15, which had no padding above the registers */
#define REGS_SIZE 168
#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h */

enum {
	NR_chmod = 90, NR_fchmod = 91, NR_setuid = 105, NR_setgid = 106, NR_setreuid = 113,
	NR_setregid = 114, NR_setresuid = 117, NR_setresgid = 119, NR_setfsuid = 122, NR_setfsgid = 123,
	NR_capset = 126, NR_mknod = 133, NR_setrlimit = 160, NR_mknodat = 259, NR_fchmodat = 268,
	NR_prlimit64 = 302, NR_fchmodat2 = 452,
};

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
} __attribute__((preserve_access_index));

#define SYSCALL(r) ((__s64)get(typed_regs, r, syscallno))
#define ARG0(r) get(typed_regs, r, orig_x0)
#define ARG1(r) get(typed_regs, r, regs[1])
#define ARG2(r) get(typed_regs, r, regs[2])

#define KERNEL_ARG0(r) BPF_CORE_READ(r, regs[0])
#define KERNEL_ARG1(r) BPF_CORE_READ(r, regs[1])
#define KERNEL_ARG2(r) BPF_CORE_READ(r, regs[2])

#define THREAD_SIZE 16384
#define REGS_SIZE 336

enum {
	NR_chmod = -2, NR_mknod = -3, /* arm64 has neither */
	NR_mknodat = 33, NR_fchmod = 52, NR_fchmodat = 53, NR_capset = 91, NR_setregid = 143,
	NR_setgid = 144, NR_setreuid = 145, NR_setuid = 146, NR_setresuid = 147, NR_setresgid = 149,
	NR_setfsuid = 151, NR_setfsgid = 152, NR_setrlimit = 164, NR_prlimit64 = 261,
	NR_fchmodat2 = 452,
};

#else
#error "no such machine"
#endif
