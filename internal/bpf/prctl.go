package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// callHook returns the best hook for prctl(2) beside one of the checks; why is the reason if there
// is none. A function's own hook costs other calls nothing. The call's tracepoint makes the kernel
// look at every system call of the host, so it is the last resort.
func callHook(beside candidate) (c candidate, why string) {
	const function = "security_task_prctl"
	list := []candidate{
		{"fentry/" + function, ebpf.ProgramSpec{Type: ebpf.Tracing,
			AttachType: ebpf.AttachTraceFEntry, AttachTo: function},
			func(p *ebpf.Program) (link.Link, error) {
				return link.AttachTracing(link.TracingOptions{Program: p,
					AttachType: ebpf.AttachTraceFEntry})
			}},
		{"kprobe/" + function, ebpf.ProgramSpec{Type: ebpf.Kprobe},
			func(p *ebpf.Program) (link.Link, error) {
				return link.Kprobe(function, p, nil)
			}},
		{"tracepoint/sys_enter_prctl", ebpf.ProgramSpec{Type: ebpf.TracePoint}, attachPrctl},
	}
	if beside.spec.Type == ebpf.Kprobe {
		list[0], list[1] = list[1], list[0]
	}
	var refused []string
	for _, c := range list {
		err := try(c)
		if err == nil {
			return c, ""
		}
		refused = append(refused, c.name+" "+clause(err))
	}
	return candidate{}, strings.Join(refused, ", ")
}

// tracepointLink is a program's link to a tracepoint, made in a way that works on every kernel. The
// library's own link reads the tracepoint's number from a folder that need not be mounted.
type tracepointLink struct {
	link.Link
	file *os.File
}

func (e tracepointLink) Close() error { return e.file.Close() }

func attachPrctl(p *ebpf.Program) (link.Link, error) {
	id, err := tracepoint("syscalls/sys_enter_prctl")
	if err != nil {
		return nil, err
	}
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id,
		Sample_type: unix.PERF_SAMPLE_RAW, Sample: 1, Wakeup: 1}
	// any processor will do: the programs belong to the tracepoint
	fd, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open the tracepoint: %w", err)
	}
	e := tracepointLink{file: os.NewFile(uintptr(fd), "sys_enter_prctl")}
	err = errors.Join(unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, p.FD()),
		unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0))
	if err != nil {
		e.Close()
		return nil, fmt.Errorf("attach to the tracepoint: %w", err)
	}
	return e, nil
}

// tracepoint returns a tracepoint's number.
func tracepoint(name string) (uint64, error) {
	file := filepath.Join("events", name, "id")
	for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
			return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		}
	}
	text, err := readUnmounted("tracefs", file)
	if err != nil {
		return 0, fmt.Errorf("look up the tracepoint %s: %w", name, err)
	}
	return strconv.ParseUint(strings.TrimSpace(text), 10, 64)
}

// readUnmounted reads a file of a file system without mounting it anywhere (since 5.2).
func readUnmounted(kind, file string) (string, error) {
	config, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return "", err
	}
	defer unix.Close(config)
	if err := unix.FsconfigCreate(config); err != nil {
		return "", err
	}
	root, err := unix.Fsmount(config, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(root)
	fd, err := unix.Openat(root, file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), file)
	defer f.Close()
	text := make([]byte, 32)
	n, err := f.Read(text)
	return string(text[:n]), err
}
