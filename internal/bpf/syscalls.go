package bpf

// compat is added to the numbers of system calls in the machine's 32-bit table: COMPAT in
// programs/maps.h.
const compat = 0x10000

// syscallName names a system call of this machine; "" for none (-1) and for one that is newer than
// the table.
func syscallName(number int32) string {
	if number >= compat {
		return compatSyscalls[number-compat]
	}
	return syscalls[number]
}
