package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Peak measures the peak resident memory of a started command, in KiB: call the returned function
// after the command's end. The kernel's account of a finished process (ru_maxrss) would include
// what this process had at the fork (fs/exec.c, exec_mmap), so Peak keeps reading the high-water
// mark of the program's own memory while it runs.
func Peak(cmd *exec.Cmd) func() int64 {
	program, err := filepath.EvalSymlinks(cmd.Path)
	if err != nil {
		program = cmd.Path
	}
	done, result := make(chan struct{}), make(chan int64)
	go func() {
		var peak int64
		for {
			if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)); exe == program {
				peak = max(peak, highWater(cmd.Process.Pid))
			}
			select {
			case <-done:
				result <- peak
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() int64 { close(done); return <-result }
}

// highWater returns VmHWM, in KiB (proc_pid_status(5)); 0 if the process is gone.
func highWater(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), "\nVmHWM:")
	line, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(line), " kB"), 10, 64)
	return n
}
