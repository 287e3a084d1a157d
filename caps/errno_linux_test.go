package caps

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"dropcap/internal/testenv"
)

const stranger = 12345 // an unused user and group id

// without runs do on a thread that has dropped the capabilities in s. The thread ends with do, so
// nothing needs restoring.
func without(t *testing.T, s Set, do func() error) (err error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the runtime then ends the thread
		if e := lose(s); e != nil {
			t.Errorf("cannot lose %s: %v", s, e)
			done <- e
			return
		}
		done <- do()
	}()
	return <-done
}

// lose drops s from the calling thread's permitted and effective sets (capset(2), version 3).
func lose(s Set) error {
	head := struct{ version, pid uint32 }{0x20080522, 0}
	var data [2]struct{ effective, permitted, inheritable uint32 }
	if _, _, e := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&head)),
		uintptr(unsafe.Pointer(&data)), 0); e != 0 {
		return e
	}
	for i := range data {
		data[i].effective &^= uint32(s >> (32 * i))
		data[i].permitted &^= uint32(s >> (32 * i))
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&head)),
		uintptr(unsafe.Pointer(&data)), 0); e != 0 {
		return e
	}
	return nil
}

// effective returns this process's effective set: even root may lack some capabilities.
func effective(t *testing.T) Set {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "CapEff:\t")
	mask, _, _ := strings.Cut(rest, "\n")
	s, err := ParseMask(mask)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func call(nr uintptr, args ...uintptr) error {
	args = append(args, 0, 0, 0, 0, 0, 0)
	if _, _, e := syscall.RawSyscall6(nr, args[0], args[1], args[2], args[3], args[4],
		args[5]); e != 0 {
		return e
	}
	return nil
}

// badAddress makes a permitted call fail with EFAULT.
const badAddress = 1

// The explanations must name the errors that this kernel returns. Every call is harmless even with
// the capability: it sets what is set already, or fails for another reason.
func TestKernelAnswersAsExplained(t *testing.T) {
	testenv.Need(t, testenv.Root)
	foreign := foreignFile(t)
	pid := foreignProcess(t)
	held := effective(t)
	for _, tt := range []struct {
		lost  Set
		about Cap
		errno syscall.Errno
		name  string
		do    func() error
	}{
		{Of(Chown), Chown, syscall.EPERM, "EPERM", func() error {
			return syscall.Chown(foreign+".mine", stranger, -1)
		}},
		{Of(DacOverride, DacReadSearch), DacOverride, syscall.EACCES, "EACCES", func() error {
			return open(foreign)
		}},
		{Of(DacOverride, DacReadSearch), DacReadSearch, syscall.EACCES, "EACCES", func() error {
			return open(foreign)
		}},
		{Of(DacReadSearch), DacReadSearch, syscall.EPERM, "EPERM", openByHandle},
		{Of(Fowner), Fowner, syscall.EPERM, "EPERM", func() error {
			return syscall.Chmod(foreign, 0o600)
		}},
		{Of(Kill), Kill, syscall.EPERM, "EPERM", func() error { return syscall.Kill(pid, 0) }},
		{Of(Setgid), Setgid, syscall.EPERM, "EPERM", func() error {
			return call(syscall.SYS_SETGID, stranger)
		}},
		{Of(Setgid), Setgid, syscall.EPERM, "EPERM", func() error {
			return call(syscall.SYS_SETGROUPS)
		}},
		{Of(Setuid), Setuid, syscall.EPERM, "EPERM", func() error {
			return call(syscall.SYS_SETUID, stranger)
		}},
		{Of(Setpcap), Setpcap, syscall.EPERM, "EPERM", func() error {
			return call(syscall.SYS_PRCTL, syscall.PR_CAPBSET_DROP, 255)
		}},
		{Of(NetBroadcast), NetBroadcast, syscall.EPERM, "EPERM", listenEverywhere},
		{Of(NetAdmin, NetRaw), NetAdmin, syscall.EPERM, "EPERM", mark},
		{Of(NetRaw), NetRaw, syscall.EPERM, "EPERM", func() error {
			return socket(syscall.AF_PACKET, syscall.SOCK_RAW, 0)
		}},
		{Of(NetRaw), NetRaw, syscall.EPERM, "EPERM", func() error {
			return socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
		}},
		{Of(SysChroot), SysChroot, syscall.EPERM, "EPERM", func() error {
			return syscall.Chroot("/")
		}},
		{Of(SysPtrace), SysPtrace, syscall.EACCES, "EACCES", func() error { return lookAt(pid) }},
		{Of(SysPacct), SysPacct, syscall.EPERM, "EPERM", func() error {
			return call(syscall.SYS_ACCT, badAddress)
		}},
		{Of(SysAdmin), SysAdmin, syscall.EPERM, "EPERM", func() error {
			return call(syscall.SYS_SETHOSTNAME, 0, ^uintptr(0))
		}},
		{Of(SysBoot), SysBoot, syscall.EPERM, "EPERM", func() error {
			return call(syscall.SYS_REBOOT)
		}},
		{Of(SysNice), SysNice, syscall.EACCES, "EACCES", func() error {
			return syscall.Setpriority(syscall.PRIO_PROCESS, 0, -5)
		}},
		{Of(SysTime), SysTime, syscall.EPERM, "EPERM", sameClock},
		{Of(Mknod), Mknod, syscall.EPERM, "EPERM", func() error {
			return syscall.Mknod(foreign+".node", syscall.S_IFCHR, 1<<8|3)
		}},
		{Of(Lease), Lease, syscall.EACCES, "EACCES", func() error { return lease(foreign) }},
		// size of what is unread
		{Of(Syslog, SysAdmin), Syslog, syscall.EPERM, "EPERM", func() error {
			return call(syscall.SYS_SYSLOG, 9)
		}},
		{Of(WakeAlarm), WakeAlarm, syscall.EPERM, "EPERM", func() error {
			return call(syscall.SYS_TIMERFD_CREATE, 9)
		}},
	} {
		err := without(t, tt.lost, tt.do)
		if !errors.Is(err, tt.errno) {
			t.Errorf("without %s the kernel answers %v, want %s", tt.lost, err, tt.name)
		}
		if err := without(t, 0, tt.do); tt.lost.Minus(held) == 0 && errors.Is(err, tt.errno) {
			t.Errorf("with %s the kernel answers %v too, so it is not what decides", tt.lost, err)
		}
		if !strings.Contains(tt.about.Knowledge().Without, tt.name) {
			t.Errorf("%s: the explanation does not name %s", tt.about, tt.name)
		}
	}
}

// Losing FSETID causes no error, only a different mode.
func TestSetgidBitIsSilentlyLeftOut(t *testing.T) {
	testenv.Need(t, testenv.Root)
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(file, 0, stranger); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		lost Set
		want os.FileMode
	}{{Of(Fsetid), 0}, {0, os.ModeSetgid}} {
		if err := without(t, tt.lost, func() error {
			return syscall.Chmod(file, 0o2755)
		}); err != nil {
			t.Fatalf("without %s: %v", tt.lost, err)
		}
		if fi, err := os.Stat(file); err != nil || fi.Mode()&os.ModeSetgid != tt.want {
			t.Errorf("without %s the mode becomes %v, %v", tt.lost, fi.Mode(), err)
		}
	}
}

// foreignFile creates a private file owned by another user, and beside it one of our own with the
// suffix ".mine".
func foreignFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	for _, p := range []string{path, path + ".mine"} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(path, stranger, stranger); err != nil {
		t.Fatal(err)
	}
	return path
}

// foreignProcess starts another user's process. It ends with the test, even a killed one, because
// cat then reads the end of its input.
func foreignProcess(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("/bin/cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger,
		Gid: stranger}}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func open(path string) error {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err == nil {
		_ = syscall.Close(fd)
	}
	return err
}

func socket(family, kind, protocol int) error {
	fd, err := syscall.Socket(family, kind|syscall.SOCK_CLOEXEC, protocol)
	if err == nil {
		_ = syscall.Close(fd)
	}
	return err
}

// openByHandle passes an empty handle of a type that no filesystem has.
func openByHandle() error {
	// package syscall does not name it
	number := map[string]uintptr{"amd64": 304, "arm64": 265}[runtime.GOARCH]
	handle := [16]byte{0: 8, 4: 1}
	return call(number, ^uintptr(99), uintptr(unsafe.Pointer(&handle)), 0) // -100: AT_FDCWD
}

func listenEverywhere() error {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC,
		syscall.NETLINK_ROUTE)
	if err != nil {
		return nil // the test then fails for want of an error
	}
	defer syscall.Close(fd)
	return syscall.SetsockoptInt(fd, 270, 8, 1) // SOL_NETLINK, NETLINK_LISTEN_ALL_NSID
}

func mark() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_MARK, 7)
}

func lookAt(pid int) error {
	_, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return err
}

// sameClock sets the clock's tick to its current value.
func sameClock() error {
	var tx syscall.Timex
	if _, err := syscall.Adjtimex(&tx); err != nil {
		return nil
	}
	tx.Modes = 0x4000 // ADJ_TICK
	_, err := syscall.Adjtimex(&tx)
	return err
}

func lease(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	return call(syscall.SYS_FCNTL, f.Fd(), 1024, syscall.F_RDLCK) // F_SETLEASE
}
