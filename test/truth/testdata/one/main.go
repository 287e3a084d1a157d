// Command one is many small programs: `one NAME` makes a system call for which the kernel checks
// exactly one capability, and fails if the call fails. Names are those of the capabilities, or of
// programs that only probe and continue without.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
)

var programs = map[string]func() error{}

func main() {
	if len(os.Args) != 2 || programs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: one", slices.Sorted(maps.Keys(programs)))
		os.Exit(2)
	}
	if err := programs[os.Args[1]](); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func init() {
	programs["sleep"] = func() error { time.Sleep(time.Hour); return nil }
}

// The test image's files: Owned and its folder belong to user 1000, Closed to root with mode 0.
const (
	owned  = "/data/owned"
	closed = "/data/closed"
)

// scratch creates a file of our own on the container's root.
func scratch() (string, error) {
	f, err := os.CreateTemp("/tmp", "one")
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// onScratch runs a call on such a file.
func onScratch(call func(path string) error) func() error {
	return func() error {
		path, err := scratch()
		if err != nil {
			return err
		}
		return call(path)
	}
}

// stranger waits for a process of user 1000, which the test starts in the container by docker exec.
func stranger() (int, error) {
	for range 400 {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			if info, err := os.Stat("/proc/" + e.Name()); err == nil &&
				info.Sys().(*syscall.Stat_t).Uid == 1000 {
				return pid, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return 0, errors.New("no process of user 1000 turned up")
}

// onStranger runs a call on that process.
func onStranger(call func(pid int) error) func() error {
	return func() error {
		pid, err := stranger()
		if err != nil {
			return err
		}
		return call(pid)
	}
}

// asked accepts any answer but a refusal: the call is wrong on purpose, so that nothing happens to
// the host.
func asked(err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) ||
		errors.Is(err, syscall.ENOSYS) {
		return err
	}
	return nil
}
