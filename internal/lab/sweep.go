package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dropcap/internal/dockertest/supervise"
)

const (
	endWithin = 2 * time.Minute
	// orphaned is how long an engine's folder may exist without its supervisor's record, which is
	// written at once.
	orphaned = 5 * time.Second
)

// markName is a variable in the environment of every script of a node, inherited by its
// descendants.
const markName = "DROPCAP_LAB_NODE"

// Stop ends the lab in a folder, and removes what a killed lab has left. It reports whether there
// was one.
func Stop(folder string) (bool, error) {
	if err := checkFolder(folder); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	told := 0
	for end := time.Now().Add(endWithin); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		pid, err := holder(folder)
		switch {
		case pid == 0 && (err == nil || errors.Is(err, fs.ErrNotExist)):
			if err := vacate(folder); !errors.Is(err, ErrRunning) {
				return true, err
			}
		case err != nil:
			return true, err
		case pid != told:
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil &&
				!errors.Is(err, syscall.ESRCH) {
				return true, fmt.Errorf("cannot stop the lab: %w", err)
			}
			told = pid
		}
		if time.Now().After(end) {
			return true, fmt.Errorf("cannot stop the lab: process %d has not ended in %v", pid,
				endWithin)
		}
	}
}

// vacate removes a folder in which no lab runs, and what a killed lab has left.
func vacate(folder string) error {
	hold, err := lockFolder(folder)
	if err != nil {
		return err
	}
	defer hold.Close()
	if err := sweep(folder); err != nil {
		return err
	}
	return remove(folder)
}

// sweep removes what a killed lab has left in a folder that we hold. It waits for supervisors that
// are still at work.
func sweep(folder string) error {
	if s, err := read(folder); err == nil && s.Mark != "" {
		if err := endMarked(s.Mark); err != nil {
			return err
		}
	}
	for end := time.Now().Add(endWithin); ; time.Sleep(100 * time.Millisecond) {
		if err := supervise.Sweep(folder); err != nil {
			return fmt.Errorf("cannot sweep up an earlier lab's engine: %w", err)
		}
		left, _ := filepath.Glob(filepath.Join(folder, supervise.Prefix+"*"))
		for _, root := range left {
			if info, err := os.Lstat(root); err == nil && !supervise.Begun(root) &&
				time.Since(info.ModTime()) > orphaned {
				_ = os.RemoveAll(root)
			}
		}
		if len(left) == 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("cannot sweep up an earlier lab's engines: %v are still there", left)
		}
	}
	return empty(folder)
}

// endMarked kills the processes with the mark in their environment, which are scripts of nodes and
// what they have started, and waits for their end. It never selects one by name. It looks until it
// has found none twice in a row: in the middle of its exec a process has no environment (fs/exec.c,
// exec_mmap).
func endMarked(mark string) error {
	word := []byte(markName + "=" + mark)
	quiet := 0
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		found := 0
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() &&
				killMarked(pid, word) {
				found++
			}
		}
		if quiet++; found > 0 {
			quiet = 0
		}
		if quiet == 2 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("cannot end %d processes of nodes", found)
		}
	}
}

// killMarked examines the process behind a descriptor, so that it cannot hit another process that
// gets the same number meanwhile. A killed process loses its environment some time before it ends,
// so killMarked waits for the end.
func killMarked(pid int, word []byte) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	// empty for one that has ended, or is another user's
	environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(v, word) {
			if unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) != nil {
				return false
			}
			for err := error(unix.EINTR); err == unix.EINTR; {
				_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
			}
			return true
		}
	}
	return false
}
