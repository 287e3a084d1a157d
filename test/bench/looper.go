package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// loopFlag makes this program a looper: a process that repeats calls whenever it is asked to.
const loopFlag = "loop"

// What a looper calls. sethostname(2) with an impossible length makes one check and ends, so that
// it shows what a check costs and little else; setuid(2) makes one whose arguments are read, and
// copies credentials, which costs ten times as much and varies as widely; getppid(2) makes none.
const (
	oneCheck = "sethostname"
	argCheck = "setuid"
	noCheck  = "getppid"
)

type loopCall struct {
	name string
	nr   uintptr
	b    uintptr
}

var loopCalls = []loopCall{
	{noCheck, unix.SYS_GETPPID, 0},
	{oneCheck, unix.SYS_SETHOSTNAME, ^uintptr(0)},
	{argCheck, unix.SYS_SETUID, 0},
}

// A loop is many short runs, of which some are not disturbed even on a busy host.
const (
	loopRuns  = 100
	loopCount = 500 // calls in each
)

// serveLoops answers each number of a processor and name of a call on its input with the
// nanoseconds of such a call there.
func serveLoops() {
	runtime.LockOSThread()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var cpu int
		var name string
		if _, err := fmt.Sscan(lines.Text(), &cpu, &name); err != nil {
			os.Exit(2)
		}
		i := slices.IndexFunc(loopCalls, func(c loopCall) bool { return c.name == name })
		var only unix.CPUSet
		only.Set(cpu)
		if i < 0 || unix.SchedSetaffinity(0, &only) != nil {
			os.Exit(2)
		}
		var took []float64
		for range loopRuns + 1 {
			began := threadTime()
			for range loopCount {
				unix.RawSyscall(loopCalls[i].nr, 0, loopCalls[i].b, 0)
			}
			took = append(took, float64(threadTime()-began)/loopCount)
		}
		fmt.Println(quiet(took[1:]))
	}
}

// threadTime is the processor time of this thread, in nanoseconds: what others run is not in it.
func threadTime() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return ts.Nano()
}

// looper is such a process, in a box.
type looper struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func startLooper(self string, b box) (*looper, error) {
	cmd, err := b.command(self, loopFlag)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	w := &looper{cmd: cmd}
	if w.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.lines = bufio.NewScanner(out)
	return w, cmd.Start()
}

func (w *looper) loop(cpu int, call string) (ns float64, err error) {
	if _, err := fmt.Fprintln(w.in, cpu, call); err != nil || !w.lines.Scan() {
		return 0, errors.Join(errors.New("the process that makes calls has ended"), err)
	}
	return strconv.ParseFloat(w.lines.Text(), 64)
}

func (w *looper) end() error { return errors.Join(w.in.Close(), w.cmd.Wait()) }

// spent is the kernel's account of an eBPF program.
type spent struct{ ns, runs int64 }

// programsOf returns a function that reads the account of the busiest program that a process holds.
func programsOf(pid string) func() spent {
	return func() spent {
		var most spent
		files, _ := filepath.Glob(filepath.Join("/proc", pid, "fdinfo/*"))
		for _, f := range files {
			text, _ := os.ReadFile(f) // it may be closed by now
			var s spent
			for line := range strings.Lines(string(text)) {
				name, value, _ := strings.Cut(line, ":")
				n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
				switch name {
				case "run_time_ns":
					s.ns = n
				case "run_cnt":
					s.runs = n
				}
			}
			if s.runs > most.runs {
				most = s
			}
		}
		return most
	}
}

// counting does something while the kernel keeps these accounts.
func counting(do func() error) (err error) {
	const setting = "/proc/sys/kernel/bpf_stats_enabled"
	before, err := os.ReadFile(setting)
	if err != nil {
		return err
	}
	if err := os.WriteFile(setting, []byte("1"), 0); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.WriteFile(setting, before, 0)) }()
	return do()
}

// bpftrace starts the script that the tracer is compared with, and waits until it counts.
func bpftrace() (pid int, stop func(), err error) {
	// Its output begins when everything is attached.
	return script(`[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing
exec bpftrace -e 'BEGIN { printf("ready\n"); } tracepoint:capability:cap_capable { @[comm, args->cap, args->ret] = count(); }'`)
}

// script starts a script, and waits until it says that it is ready.
func script(text string) (pid int, stop func(), err error) {
	cmd := exec.Command("sh", "-c", text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "ready" {
			return cmd.Process.Pid, stop, nil
		}
		fmt.Fprintln(&said, lines.Text())
	}
	stop()
	return 0, nil, errors.New("bpftrace does not start: " + said.String())
}
