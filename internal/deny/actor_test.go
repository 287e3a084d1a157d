package deny

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// actsEnv turns this test program into an actor, which performs the named acts in order on one
// thread. "setgroups:5 chroot" is five calls of the one and one of the other.
const actsEnv = "DROPCAP_DENY_ACTS"

// denierEnv turns it into a process that denies: see denier.
const denierEnv = "DROPCAP_DENY_DENIER"

func TestMain(m *testing.M) {
	if acts, ok := os.LookupEnv(actsEnv); ok {
		runtime.LockOSThread()
		for a := range strings.FieldsSeq(acts) {
			name, times, _ := strings.Cut(a, ":")
			n, err := strconv.Atoi(times)
			if err != nil {
				n = 1
			}
			act(name, n)
		}
		os.Exit(0)
	}
	if line, ok := os.LookupEnv(denierEnv); ok {
		denier(strings.Fields(line))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// calls make one check each that fails with EPERM if it is denied, and change nothing.
var calls = map[string]func() error{
	"setgroups": func() error { // SETGID, by a raw call: the library's concerns all threads
		if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
			return e
		}
		return nil
	},
	"chroot": func() error { return unix.Chroot("/") }, // SYS_CHROOT
}

// act reports how often each call was allowed and denied.
func act(name string, n int) {
	switch name {
	case "await": // a line of the input
		stdin.ReadString('\n')
		return
	case "until": // the end of the input, and tell each change
		watchChanges()
		return
	case "exec":
		self, _ := os.Readlink("/proc/self/exe")
		unix.Exec(self, []string{"x"}, []string{actsEnv + "=setgroups:3"})
	case "nested":
		nested()
		return
	}
	call := calls[name]
	if call == nil {
		fmt.Fprintln(os.Stderr, "no such act: "+name)
		os.Exit(3)
	}
	allowed, denied := 0, 0
	for range n {
		switch call() {
		case nil:
			allowed++
		case unix.EPERM:
			denied++
		default:
			os.Exit(4)
		}
	}
	fmt.Printf("%s %d %d\n", name, allowed, denied)
}

var stdin = bufio.NewReader(os.Stdin)

// watchChanges calls setgroups all the time, and tells when the result changes: the time before the
// first call with the new one, and after it, by CLOCK_MONOTONIC.
func watchChanges() {
	over := make(chan struct{})
	go func() {
		stdin.ReadString(0)
		close(over)
	}()
	last := "start"
	for {
		select {
		case <-over:
			return
		default:
		}
		result := "allowed"
		if calls["setgroups"]() != nil {
			result = "denied"
		}
		if result != last {
			fmt.Printf("%s %d\n", result, monotonic())
			last = result
		}
	}
}

func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// nested acts in a user namespace of the container's own making.
func nested() {
	// the mappings need a /proc that knows the actor's own numbers
	if unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") != nil ||
		unix.Mount("proc", "/proc", "proc", 0, "") != nil {
		os.Exit(3)
	}
	self, _ := os.Readlink("/proc/self/exe")
	one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	cmd := exec.Command(self)
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{actsEnv + "=chroot:4"}, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: one,
		GidMappings: one, GidMappingsEnableSetgroups: true}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// denier denies SETGID to a cgroup, pinned or not, says so, and waits to be killed.
func denier(arguments []string) {
	own, err := strconv.ParseUint(arguments[0], 10, 64)
	if err != nil {
		os.Exit(3)
	}
	o := Options{Hook: os.Getenv(hookEnv)}
	if len(arguments) > 1 {
		o.Pin = arguments[1]
	}
	d, err := Open(o)
	if err == nil {
		err = d.Deny(own, setgid)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	fmt.Println("denies")
	select {}
}
