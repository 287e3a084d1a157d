package bpf

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// actorEnv turns this test program into an actor: it performs the named acts, in order, on one
// thread, and exits. "setuid0:5 capset" is five calls of the act setuid0 and one of capset.
const actorEnv = "DROPCAP_BPF_ACTS"

func TestMain(m *testing.M) {
	if acts, ok := os.LookupEnv(actorEnv); ok {
		runtime.LockOSThread()
		perform(acts)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func perform(acts string) {
	list := strings.Fields(acts)
	for i, a := range list {
		name, times, _ := strings.Cut(a, ":")
		if name == "again" { // the rest runs in a new process image
			env := []string{actorEnv + "=" + strings.Join(list[i+1:], " ")}
			unix.Exec(executable(), []string{"x"}, env)
		}
		n, err := strconv.Atoi(times)
		if err != nil {
			n = 1
		}
		act := allActs[name]
		if act == nil {
			fmt.Fprintln(os.Stderr, "no such act: "+name)
			os.Exit(3)
		}
		for i := range n {
			act(i)
		}
	}
}

// raw makes a system call on this thread alone: the library's own would make every thread set its
// ids.
func raw(nr, a, b, c uintptr) {
	unix.RawSyscall(nr, a, b, c)
}

func cstring(s string) uintptr {
	b := append([]byte(s), 0)
	kept = append(kept, b)
	return uintptr(unsafe.Pointer(&b[0]))
}

var kept [][]byte // keeps what system calls read from being collected

const foreign = 4242

// allActs are calls whose checks are known exactly. Their files are in the actor's folder, where
// newBox creates them.
var allActs map[string]func(i int)

func init() {
	file, other := []byte("file\x00"), []byte("other\x00")
	device := []byte("device\x00")
	at := func(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }
	kept = append(kept, file, other, device)
	allActs = map[string]func(int){
		"setuid0":        func(int) { raw(unix.SYS_SETUID, 0, 0, 0) },
		"setuid-foreign": func(int) { raw(unix.SYS_SETUID, foreign, 0, 0) },
		"setgid0":        func(int) { raw(unix.SYS_SETGID, 0, 0, 0) },
		"euid-foreign":   func(int) { raw(unix.SYS_SETRESUID, ^uintptr(0), foreign, ^uintptr(0)) },
		"setgroups":      func(int) { raw(unix.SYS_SETGROUPS, 0, 0, 0) },
		"chown":          func(i int) { fchownat(at(file), 1+i%2) },
		"mknod": func(int) {
			mknodat(at(device))
			unlink(at(device))
		},
		"rawsocket":    func(int) { rawSocket() },
		"chroot":       func(int) { unix.Chroot("/") },
		"chmod-own":    func(int) { fchmodat(at(file), 0o600) },
		"chmod-other":  func(int) { fchmodat(at(other), 0o600) },
		"chmod-setgid": func(int) { fchmodat(at(other), 0o2600) },
		"drop-all":     func(int) { capset(0, 0, 0) },
		"securebits":   func(int) { unix.Prctl(unix.PR_SET_SECUREBITS, 0, 0, 0, 0) },
		"lose-chown":   func(int) { unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_CHOWN, 0, 0, 0) },
		"lose-all":     func(int) { loseAll() },
		"user":         func(int) { raw(unix.SYS_SETRESUID, 33, 33, 33) },
		"fsuser":       func(int) { raw(unix.SYS_SETFSUID, 33, 0, 0) },
		"keep-caps":    func(int) { unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0) },
		"lose-chroot": func(int) {
			unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_CHROOT, 0, 0, 0)
		},
		"keep-sys-chroot": func(int) { capset(1<<unix.CAP_SYS_CHROOT, 1<<unix.CAP_SYS_CHROOT, 0) },
		"keep-chown":      func(int) { capset(1, 1, 0) },
		"inherit":         func(int) { capset(1, 1, 1) },
		"raise-limit":     func(int) { limit(unix.RLIM_INFINITY) },
		"same-limit":      func(int) { limit(0) },
		"fake-comm": func(int) {
			unix.Prctl(unix.PR_SET_NAME, cstring("runc:[2:INIT]"), 0, 0, 0)
		},
		"foreign-exe": func(int) { child("/proc/self/exe", "setgid0:4") },
		"hostname":    func(int) { unix.Sethostname([]byte("dropcap")) },
		"fork":        func(int) { child(executable(), "setuid0:7") },
		"exec": func(int) {
			unix.Exec(executable(), []string{"x"}, []string{actorEnv + "=setgid0:3"})
		},
		"threads": func(int) { twoThreads() },
		"copy":    func(int) { child(copyOf(), "setgid0:2") },
		"memfd":   func(int) { execMemory("setgid0:9") },
		"look": func(int) {
			unix.Prctl(unix.PR_CAPBSET_READ, unix.CAP_SYS_TIME, 0, 0, 0)
		},
		"look-beyond": func(int) { unix.Prctl(unix.PR_CAPBSET_READ, 48, 0, 0, 0) },
		"raise-ambient": func(int) {
			unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_CHOWN, 0, 0)
		},
		"is-ambient": func(int) {
			unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, unix.CAP_CHOWN, 0, 0)
		},
		"nested": func(int) { nested() },
		"tell":   func(int) { os.Stdout.WriteString("here\n") },
		"await":  func(int) { os.Stdin.Read(make([]byte, 1)) },
	}
}

func dirFD() uintptr {
	here := unix.AT_FDCWD // a variable: the constant does not convert
	return uintptr(here)
}

func fchownat(path uintptr, uid int) {
	keep := -1
	unix.RawSyscall6(unix.SYS_FCHOWNAT, dirFD(), path, uintptr(uid), uintptr(keep), 0, 0)
}

func fchmodat(path uintptr, mode uintptr) { raw(unix.SYS_FCHMODAT, dirFD(), path, mode) }

func mknodat(path uintptr) {
	unix.RawSyscall6(unix.SYS_MKNODAT, dirFD(), path, unix.S_IFCHR|0o600, uintptr(unix.Mkdev(1, 3)),
		0, 0)
}

func unlink(path uintptr) { raw(unix.SYS_UNLINKAT, dirFD(), path, 0) }

func rawSocket() {
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP); err == nil {
		unix.Close(fd)
	}
}

func capset(effective, permitted, inheritable uint32) {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	d := [2]unix.CapUserData{{Effective: effective, Permitted: permitted, Inheritable: inheritable}}
	unix.Capset(&h, &d[0])
}

// loseAll empties the bounding set.
func loseAll() {
	for c := range uintptr(64) {
		unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
	}
}

// nested sets ids in a user namespace of its own.
func nested() {
	path := executable()
	// The mappings need a /proc that knows the actor's own numbers.
	if unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") != nil ||
		unix.Mount("proc", "/proc", "proc", 0, "") != nil {
		os.Exit(3)
	}
	one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	cmd := exec.Command(path)
	cmd.Env, cmd.Stderr = []string{actorEnv + "=setgid0:4"}, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: one,
		GidMappings: one, GidMappingsEnableSetgroups: true}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// limit raises the hard limit of core files by that much; by 0 leaves it as it is.
func limit(most uint64) {
	var l unix.Rlimit
	unix.Prlimit(0, unix.RLIMIT_CORE, nil, &l)
	if most > 0 && l.Max == unix.RLIM_INFINITY {
		l.Max = 1 << 30
		l.Cur = 0
		unix.Prlimit(0, unix.RLIMIT_CORE, &l, nil)
	}
	if most > 0 {
		l.Max = most
	}
	unix.Prlimit(0, unix.RLIMIT_CORE, &l, nil)
}

// executable returns this program's path in the actor's mount namespace.
func executable() string {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		os.Exit(3)
	}
	return path
}

// copyOf writes a copy of this program, under a name that a path's buffer must hold.
func copyOf() string {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		os.Exit(3)
	}
	dir, err := filepath.Abs(filepath.Join("deep", "er", "still"))
	if err != nil || os.MkdirAll(dir, 0o755) != nil || os.WriteFile(filepath.Join(dir, "written"),
		program, 0o755) != nil {
		os.Exit(3)
	}
	return filepath.Join(dir, "written")
}

func twoThreads() {
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			runtime.LockOSThread()
			for range 1000 {
				raw(unix.SYS_SETUID, 0, 0, 0)
			}
		})
	}
	both.Wait()
}

// child runs this program again as another actor and waits for it.
func child(path, acts string) {
	attr := &os.ProcAttr{Env: []string{actorEnv + "=" + acts},
		Files: []*os.File{nil, nil, os.Stderr}}
	p, err := os.StartProcess(path, []string{path}, attr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	p.Wait()
}

// execMemory executes a copy of this program that exists in memory only.
func execMemory(acts string) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		os.Exit(3)
	}
	fd, err := unix.MemfdCreate("nameless", 0)
	if err != nil {
		os.Exit(3)
	}
	os.NewFile(uintptr(fd), "").Write(self)
	unix.Exec(fmt.Sprintf("/proc/self/fd/%d", fd), []string{"x"}, []string{actorEnv + "=" + acts})
	os.Exit(3)
}
