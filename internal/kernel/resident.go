package kernel

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ForgetProgram releases the pages of the program file that only its start has used: code and
// constants, which the kernel reads again from the file when needed (madvise(2), MADV_DONTNEED on a
// private mapping of a file that nobody writes to). It saves a daemon that runs for weeks some ten
// megabytes. A failure changes nothing.
func ForgetProgram() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if from, to, ok := constant(lines.Text(), self); ok {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
}

// constant returns the address range of a line of proc_pid_maps(5), if the line maps that file
// without write access.
func constant(line, file string) (from, to uintptr, ok bool) {
	var mode string
	if n, err := fmt.Sscanf(line, "%x-%x %4s ", &from, &to, &mode); n != 3 || err != nil {
		return 0, 0, false
	}
	_, path, _ := strings.Cut(line, "/")
	return from, to, (mode == "r-xp" || mode == "r--p") && "/"+path == file
}
