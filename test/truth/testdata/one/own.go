package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// What programs do with their own sets, and how they would fake evidence.
func init() {
	programs["ambient"] = func() error { return raise(unix.CAP_NET_BIND_SERVICE) }
	programs["ambient_exec"] = ambientExec
	programs["bounding"] = bounding
	programs["look"] = look
	programs["probe_libcap"] = probeLibcap
	programs["bought_written"] = func() error { return buy("/tmp/planted") }
	programs["bought_dev"] = func() error { return buy("/dev/planted") }
	programs["bought_shm"] = func() error { return buy("/scratch/planted") }
	programs["bought_volume"] = func() error { return buy("/named/planted") }
	programs["bought_bind"] = func() error { return buy("/bound/planted") }
	programs["bought_memory"] = buyInMemory
	programs["bought_replaced"] = buyReplaced
	programs["bought_file"] = buyFile
	programs["bought_namespace"] = buyNamespace
}

type sets [2]unix.CapUserData

var version3 = unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}

// raise adds one to this thread's inheritable set, and then to the ambient one.
func raise(c uintptr) error {
	runtime.LockOSThread()
	var s sets
	if err := unix.Capget(&version3, &s[0]); err != nil {
		return err
	}
	s[0].Inheritable |= 1 << c
	if err := unix.Capset(&version3, &s[0]); err != nil {
		return fmt.Errorf("inheritable: %w", err)
	}
	return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, c, 0, 0)
}

// ambientExec gives one to a program of another user, as setpriv does.
func ambientExec() error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 1000, 1000, 1000); e != 0 {
		return e
	}
	if err := raise(unix.CAP_NET_BIND_SERVICE); err != nil {
		return err
	}
	return syscall.Exec("/one", []string{"/one", "net_bind_service"}, nil)
}

// bounding gives up all that it has, and runs until it is told to end.
func bounding() error {
	runtime.LockOSThread()
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil &&
			!errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	fmt.Println("gave up")
	<-end
	return nil
}

// look takes another path without NET_RAW, which the test counts as a failure.
func look() error {
	if n, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_NET_RAW, 0, 0, 0); err != nil ||
		n != 1 {
		return errors.New("there is no NET_RAW, so nothing is done")
	}
	return nil
}

// probeLibcap looks for the kernel's last capability, as libcap does in each program linked to it.
func probeLibcap() error {
	for low, high := 0, 64; low <= high; {
		at := (low + high) / 2
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(at), 0, 0, 0); err != nil {
			high = at - 1
		} else {
			low = at + 1
		}
	}
	return nil
}

// bought is a program from elsewhere that uses a capability beyond the engine's defaults. Whether
// it succeeds does not matter.
func bought(path string) { exec.Command(path, "net_admin").Run() }

func copySelf(path string) error {
	program, err := os.ReadFile("/one")
	if err != nil {
		return err
	}
	return os.WriteFile(path, program, 0o755)
}

// buy runs a copy, and removes it.
func buy(path string) error {
	if err := copySelf(path); err != nil {
		return err
	}
	bought(path)
	return os.Remove(path)
}

func buyInMemory() error {
	program, err := os.ReadFile("/one")
	if err != nil {
		return err
	}
	fd, err := unix.MemfdCreate("planted", 0)
	if err != nil {
		return err
	}
	if _, err := os.NewFile(uintptr(fd), "planted").Write(program); err != nil {
		return err
	}
	bought(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd))
	return nil
}

// buyReplaced writes a copy over the image's program.
func buyReplaced() error {
	if err := copySelf("/tmp/planted"); err != nil {
		return err
	}
	if err := os.Rename("/tmp/planted", "/one"); err != nil {
		return err
	}
	bought("/one")
	return nil
}

// buyFile gives a copy NET_ADMIN as a file capability.
func buyFile() error {
	const path = "/tmp/planted"
	if err := copySelf(path); err != nil {
		return err
	}
	value := make([]byte, 20)
	value[0], value[3] = 1, 2 // raised at once; revision 2
	value[4+unix.CAP_NET_ADMIN/8] = 1 << (unix.CAP_NET_ADMIN % 8)
	unix.Setxattr(path, "security.capability", value, 0)
	exec.Command(path, "probe_nothing").Run()
	return nil
}

// buyNamespace has every capability in a user namespace of its own, and none that the container
// granted.
func buyNamespace() error {
	one := []syscall.SysProcIDMap{{Size: 1}}
	cmd := exec.Command("/one", "net_admin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: one, GidMappings: one}
	return cmd.Run()
}
