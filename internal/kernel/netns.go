package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"dropcap"
)

// NetContext holds the settings of a network namespace that decide whether binding and ping need a
// capability.
type NetContext struct {
	// ports below it need NET_BIND_SERVICE (ip-sysctl, ip_unprivileged_port_start)
	UnprivilegedPortStart int
	// groups, as host numbers, that ping without NET_RAW; empty if the first is above the second
	PingGroupRange [2]uint32
	HostNetwork    bool // it is the namespace of the host's first process
}

// PingAllowed reports whether a process with these groups, primary and supplementary, as host
// numbers, may ping without NET_RAW.
func (n NetContext) PingAllowed(groups ...uint32) bool {
	for _, g := range groups {
		if n.PingGroupRange[0] <= g && g <= n.PingGroupRange[1] {
			return true
		}
	}
	return false
}

// NetContext reads the settings of the network namespace that a process is in now. This needs root
// unless it is this process's own namespace. The error is dropcap.ErrGone if the process has ended.
func (r *Reader) NetContext(pid int) (NetContext, error) {
	n, err := r.netContext(pid)
	if vanished(err) {
		err = dropcap.ErrGone
	}
	if err != nil {
		return NetContext{}, fmt.Errorf("read the network settings of process %d: %w", pid, err)
	}
	return n, nil
}

func (r *Reader) netContext(pid int) (NetContext, error) {
	fd, err := openAt(cwd, r.path(pid, "ns/net"), unix.O_RDONLY)
	if err != nil {
		return NetContext{}, err
	}
	defer unix.Close(fd)
	var n NetContext
	err = inNetns(fd, func() (err error) {
		n, err = r.netSettings()
		return err
	})
	n.HostNetwork = isFile(fd, r.path(1, "ns/net"))
	return n, err
}

// inNetns runs do in a network namespace. /proc/sys/net shows the namespace of the process that
// opens a file there (net/sysctl_net.c, net_ctl_header_lookup), not the namespace of the /proc
// mount.
func inNetns(fd int, do func() error) error {
	if isFile(fd, "/proc/thread-self/ns/net") {
		return do()
	}
	done := make(chan error, 1)
	go func() { done <- onSpareThread(fd, do) }()
	return <-done
}

// onSpareThread runs do in the namespace on a thread that is thrown away. A namespace belongs to a
// thread, so the goroutine locks its thread and the runtime ends both together; the goroutine must
// do nothing else. The process's first thread cannot end that way and would stay in the other
// namespace, where /proc/self would describe the wrong one. So while the first thread waits,
// another goroutine gets another thread.
func onSpareThread(fd int, do func() error) error {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		defer runtime.UnlockOSThread()
		done := make(chan error, 1)
		go func() { done <- onSpareThread(fd, do) }()
		return <-done
	}
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("setns", err)
	}
	return do()
}

func (r *Reader) netSettings() (NetContext, error) {
	// include/net/sock.h, PROT_SOCK: kernels before 4.11 have no setting
	const defaultPortStart = 1024
	n := NetContext{UnprivilegedPortStart: defaultPortStart, PingGroupRange: [2]uint32{1, 0}}
	start, err := r.netFields("ip_unprivileged_port_start", 1)
	if err != nil {
		return NetContext{}, err
	}
	if start != nil {
		n.UnprivilegedPortStart = int(start[0])
	}
	groups, err := r.netFields("ping_group_range", 2)
	if err != nil {
		return NetContext{}, err
	}
	if groups != nil {
		n.PingGroupRange = [2]uint32{groups[0], groups[1]}
	}
	return n, nil
}

// netFields reads the numbers of a setting; nil if this kernel lacks it.
func (r *Reader) netFields(name string, count int) (list []uint32, err error) {
	var text string
	err = withFile(cwd, r.proc+"/sys/net/ipv4/"+name, func(b []byte) { text = string(b) })
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, word := range strings.Fields(text) {
		v, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s holds %q", name, text)
		}
		list = append(list, uint32(v))
	}
	if len(list) != count {
		return nil, fmt.Errorf("%s holds %q", name, text)
	}
	return list, nil
}

// isFile reports whether an open file and a path are the same file, which is how namespaces are
// compared (namespaces(7)).
func isFile(fd int, path string) bool {
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil && unix.Stat(path, &b) == nil && a.Dev == b.Dev &&
		a.Ino == b.Ino
}

// CgroupID returns the kernel's number of the container's own cgroup in the version 2 tree: what
// bpf_get_current_cgroup_id returns for a process in it and bpf_get_current_ancestor_cgroup_id for
// one below it. As in Look, the container's first process identifies the cgroup. The error is
// dropcap.ErrGone if that process does not exist.
func (r *Reader) CgroupID(c dropcap.Container) (uint64, error) {
	id, err := r.cgroupID(c)
	if vanished(err) {
		err = dropcap.ErrGone
	}
	if err != nil {
		return 0, fmt.Errorf("find the cgroup of container %s: %w", c.ID, err)
	}
	return id, nil
}

func (r *Reader) cgroupID(c dropcap.Container) (uint64, error) {
	if !c.Running() {
		return 0, errors.New(dropcap.NotRunning)
	}
	if why := r.whyUnreadable(c); why != "" {
		return 0, errors.New(why)
	}
	list, err := r.memberships(c.PID)
	if err != nil {
		return 0, err
	}
	for _, m := range cgroupsOf(list, c.ID) {
		if m.controllers == "" {
			return r.numberOf(m, c.PID)
		}
	}
	return 0, fmt.Errorf("its process %d is in no cgroup of version 2 that carries its id", c.PID)
}

// numberOf returns the number of a cgroup of the version 2 tree, provided that the process is in
// it.
func (r *Reader) numberOf(m membership, first int) (uint64, error) {
	for _, t := range r.trees {
		dir, reached := t.dir(m.path)
		if !t.serves(m) || !reached {
			continue
		}
		fd, err := openAt(cwd, r.root+dir, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return 0, err
		}
		id, err := handle(fd)
		if err != nil {
			unix.Close(fd)
			return 0, err
		}
		pids := map[int]bool{}
		if err := gather(fd, pids, maxCgroupDepth); err != nil {
			return 0, err
		}
		if pids[first] {
			return id, nil
		}
	}
	return 0, fmt.Errorf("process %d is not found in the version 2 tree that is mounted here",
		first)
}

// handle returns a cgroup's number from its file handle, which consists of nothing else
// (fs/kernfs/mount.c, kernfs_encode_fh). Before Linux 5.5 the inode is only the lower half of it;
// the inode serves where handles are not allowed.
func handle(fd int) (uint64, error) {
	h, _, err := unix.NameToHandleAt(fd, "", unix.AT_EMPTY_PATH)
	if err == nil && h.Size() == 8 {
		return binary.NativeEndian.Uint64(h.Bytes()), nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, os.NewSyscallError("fstat", err)
	}
	return st.Ino, nil
}
