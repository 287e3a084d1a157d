package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Programs that ask for more than they need, and continue without.
func init() {
	programs["probe_access"] = probeAccess
	programs["probe_own_ids"] = probeOwnIDs
	programs["probe_memory"] = probeMemory
	programs["probe_ping"] = func() error { return ping(unix.SOCK_DGRAM, unix.SOCK_RAW) }
	programs["probe_raw_ping"] = func() error { return ping(unix.SOCK_RAW, unix.SOCK_DGRAM) }
	programs["probe_stat"] = onStranger(probeStat)
	programs["probe_chmod"] = onScratch(func(p string) error { return os.Chmod(p, 0o755) })
	programs["probe_chown"] = onScratch(func(p string) error { return os.Chown(p, 0, 0) })
	programs["probe_capset"] = probeCapset
	programs["probe_sysctl"] = probeSysctl
	programs["probe_nothing"] = func() error { return nil }
	programs["probe_xattr"] = probeXattr
}

// probeAccess checks its access first, as do many programs that print their own error messages.
func probeAccess() error {
	for _, mode := range []uint32{unix.R_OK, unix.W_OK} {
		if err := unix.Access(closed, mode); err != nil && err != unix.EACCES {
			return err
		}
	}
	return nil
}

// probeOwnIDs sets the ids that it has already, as do programs that may be started as root or not.
func probeOwnIDs() error {
	if err := syscall.Setgid(os.Getgid()); err != nil {
		return err
	}
	if err := syscall.Setresuid(-1, os.Geteuid(), -1); err != nil {
		return err
	}
	return syscall.Setuid(os.Getuid())
}

// probeMemory maps, grows and starts: each checks SYS_ADMIN without needing it.
func probeMemory() error {
	for range 200 {
		m, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return err
		}
		m[0] = 1
		if err := unix.Munmap(m); err != nil {
			return err
		}
	}
	p, err := os.StartProcess("/one", []string{"/one", "probe_nothing"}, &os.ProcAttr{})
	if err != nil {
		return err
	}
	state, err := p.Wait()
	if err == nil && !state.Success() {
		err = fmt.Errorf("child: %v", state)
	}
	return err
}

// ping opens the first kind of socket, else the second.
func ping(first, second int) error {
	err := socket(unix.AF_INET, first, unix.IPPROTO_ICMP)
	if err == unix.EPERM || err == unix.EACCES {
		err = socket(unix.AF_INET, second, unix.IPPROTO_ICMP)
	}
	return err
}

// probeStat reads what ps reads of another user's process, once that is no longer the runtime that
// starts it.
func probeStat(pid int) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(text), "(one)") {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("not the program expected: %s", text)
		}
	}
}

// probeCapset gives up everything effective, which needs nothing.
func probeCapset() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	sets[0].Effective, sets[1].Effective = 0, 0
	sets[0].Inheritable, sets[1].Inheritable = 0, 0
	return unix.Capset(&header, &sets[0])
}

func probeSysctl() error {
	_, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	return err
}

func probeXattr() error {
	_, err := unix.Listxattr(owned, make([]byte, 4096))
	return err
}
