package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// callProgram is run when prctl(2) is called. The call's own tracepoint costs the other calls nothing.
const callProgram = "tp_sys_enter_prctl"

// load loads the object, without that program where the kernel does not take it.
func (t *Tracer) load(spec *ebpf.CollectionSpec) (err error) {
	options := ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{LogDisabled: true}}
	if t.collection, err = ebpf.NewCollectionWithOptions(spec, options); err == nil {
		t.noCalls = t.attachCalls()
		return nil
	}
	t.noCalls = err
	delete(spec.Programs, callProgram)
	t.collection, err = ebpf.NewCollectionWithOptions(spec, options)
	return err
}

// attachCalls does it in the way that every kernel knows (the library reads the tracepoint's number from a folder that need not be mounted).
func (t *Tracer) attachCalls() error {
	id, err := tracepoint("syscalls/sys_enter_prctl")
	if err != nil {
		return err
	}
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Sample_type: unix.PERF_SAMPLE_RAW, Sample: 1, Wakeup: 1}
	fd, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC) // on any processor: programs are the tracepoint's
	if err != nil {
		return fmt.Errorf("open the tracepoint of prctl: %w", err)
	}
	t.calls = os.NewFile(uintptr(fd), "sys_enter_prctl")
	err = errors.Join(
		unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, t.collection.Programs[callProgram].FD()),
		unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0),
	)
	if err != nil {
		return fmt.Errorf("attach to the tracepoint of prctl: %w", err)
	}
	return nil
}

// tracepoint gives a tracepoint's number.
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

// readUnmounted reads a file of a file system that is mounted nowhere, nor is afterwards (since 5.2).
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
