package kernel

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ForgetProgram lets go of the program's own pages that only its start has used: code and constants, which the kernel reads again from the file where
// they are needed (madvise(2), MADV_DONTNEED on a private mapping of a file that nobody writes to). A daemon that runs for weeks holds some ten
// megabytes less so. Whatever fails leaves things as they are.
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

// constant tells where a line of proc_pid_maps(5) is of that file and may not be written to.
func constant(line, file string) (from, to uintptr, ok bool) {
	var mode string
	if n, err := fmt.Sscanf(line, "%x-%x %4s ", &from, &to, &mode); n != 3 || err != nil {
		return 0, 0, false
	}
	_, path, _ := strings.Cut(line, "/")
	return from, to, (mode == "r-xp" || mode == "r--p") && "/"+path == file
}
