package main

import (
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Capabilities that must be added.
func init() {
	programs["net_admin"] = loopbackUp
	programs["sys_admin"] = func() error { return unix.Sethostname([]byte("one")) }
	programs["sys_nice"] = func() error { return unix.Setpriority(unix.PRIO_PROCESS, 0, -5) }
	programs["sys_ptrace"] = onStranger(func(pid int) error {
		_, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
		return err
	})
	programs["sys_time"] = tick
	programs["ipc_lock"] = func() error { return unix.Mlock(make([]byte, 1<<20)) }
	programs["ipc_owner"] = sharedMemory
	programs["lease"] = lease
	programs["linux_immutable"] = appendOnly
	programs["dac_read_search"] = byHandle
	programs["sys_rawio"] = fibmap
	programs["sys_tty_config"] = func() error { return call(unix.SYS_VHANGUP, 0, 0, 0) }
	programs["sys_pacct"] = func() error { return call(unix.SYS_ACCT, 0, 0, 0) }
	// wrong magic numbers: EINVAL
	programs["sys_boot"] = func() error { return asked(call(unix.SYS_REBOOT, 0, 0, 0)) }
	programs["syslog"] = unread
	programs["wake_alarm"] = wakeAlarm
	programs["audit_read"] = auditRead
}

func call(number, a, b, c uintptr) error {
	if _, _, errno := unix.Syscall(number, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

// loopbackUp sets lo's flags to their current value.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// tick sets the length of the clock's tick to its current value.
func tick() error {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return err
	}
	t.Modes = unix.ADJ_TICK
	_, err := unix.Adjtimex(&t)
	return err
}

// sharedMemory opens a segment of our own whose mode forbids that.
func sharedMemory() error {
	const key = 0x6f6e65
	id, err := unix.SysvShmGet(key, 4096, unix.IPC_CREAT)
	if err != nil {
		return err
	}
	defer unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	_, err = unix.SysvShmGet(key, 4096, 0o600)
	return err
}

func lease() error {
	f, err := os.Open(owned)
	if err != nil {
		return err
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	runtime.KeepAlive(f)
	return err
}

// appendOnly works on a tmpfs, so that nothing remains that cannot be removed.
func appendOnly() error {
	const (
		path           = "/scratch/file"
		appendOnlyFlag = 0x20 // FS_APPEND_FL
	)
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, appendOnlyFlag)
}

// byHandle opens a file of a tmpfs by its handle.
func byHandle() error {
	const path = "/scratch/file"
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, path, 0)
	if err != nil {
		return err
	}
	mount, err := unix.Open("/scratch", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	_, err = unix.OpenByHandleAt(mount, handle, unix.O_RDONLY)
	return err
}

// fibmap asks for the first block of a file that the engine mounts from its own file system.
func fibmap() error {
	f, err := os.Open("/etc/hosts")
	if err != nil {
		return err
	}
	var block int32
	const fibmap = 1
	err = asked(call(unix.SYS_IOCTL, f.Fd(), fibmap, uintptr(unsafe.Pointer(&block))))
	runtime.KeepAlive(f)
	return err
}

// unread asks for the size of the unread part of the kernel's log, which is privileged whatever
// dmesg_restrict says.
func unread() error {
	const sizeUnread = 9
	_, err := unix.Klogctl(sizeUnread, nil)
	return err
}

func wakeAlarm() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME_ALARM, 0)
	if err != nil {
		return asked(err)
	}
	return unix.Close(fd)
}

func auditRead() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT)
	if err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1})
}
