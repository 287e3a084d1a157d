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

// NetContext is what decides in a network namespace whether binding and ping need a capability.
type NetContext struct {
	UnprivilegedPortStart int       // ports below it need NET_BIND_SERVICE (ip-sysctl, ip_unprivileged_port_start)
	PingGroupRange        [2]uint32 // groups, as numbers of the host, that ping without NET_RAW; the first above the second: none
	HostNetwork           bool      // it is the namespace of the host's first process
}

// PingAllowed tells whether a process with these groups, of its own and supplementary, as numbers of the host, may ping without NET_RAW.
func (n NetContext) PingAllowed(groups ...uint32) bool {
	for _, g := range groups {
		if n.PingGroupRange[0] <= g && g <= n.PingGroupRange[1] {
			return true
		}
	}
	return false
}

// NetContext reads it for the network namespace that a process is in now, which needs root unless it is this process's own. The error is a
// dropcap.ErrGone if the process is not there any more.
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
	err = inNetwork(fd, func() (err error) {
		n, err = r.netSettings()
		return err
	})
	n.HostNetwork = isFile(fd, r.path(1, "ns/net"))
	return n, err
}

// inNetwork runs do in a network namespace. /proc/sys/net shows that of whoever opens a file there (net/sysctl_net.c, net_ctl_header_lookup),
// not that of the /proc.
func inNetwork(fd int, do func() error) error {
	if isFile(fd, "/proc/thread-self/ns/net") {
		return do()
	}
	done := make(chan error, 1)
	go func() { done <- elsewhere(fd, do) }()
	return <-done
}

// elsewhere moves the thread of its goroutine, which must do nothing more: a namespace belongs to a thread, so the goroutine keeps the thread
// and the runtime ends both together. The process's first thread cannot be ended so, only be left where it went, where it would answer for
// the whole process as /proc/self; while that one is kept busy waiting, another goroutine gets another thread.
func elsewhere(fd int, do func() error) error {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		defer runtime.UnlockOSThread()
		done := make(chan error, 1)
		go func() { done <- elsewhere(fd, do) }()
		return <-done
	}
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("setns", err)
	}
	return do()
}

func (r *Reader) netSettings() (NetContext, error) {
	const unlessTold = 1024 // include/net/sock.h, PROT_SOCK: kernels before 4.11 have no setting
	n := NetContext{UnprivilegedPortStart: unlessTold, PingGroupRange: [2]uint32{1, 0}}
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

// netFields reads the numbers of a setting; nil if this kernel does not have it.
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

// isFile tells whether an open file and a path are one: namespaces are known by that (namespaces(7)).
func isFile(fd int, path string) bool {
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil && unix.Stat(path, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

// CgroupID gives the kernel's number of the container's own cgroup in the version 2 tree, which is what bpf_get_current_cgroup_id tells for a
// process in it and bpf_get_current_ancestor_cgroup_id for one below it. As in Look, the container's first process says which cgroup
// it is. The error is a dropcap.ErrGone if that process does not exist.
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
	if why := r.unfit(c); why != "" {
		return 0, errors.New(why)
	}
	list, err := r.memberships(c.PID)
	if err != nil {
		return 0, err
	}
	for _, m := range homeOf(list, c.ID) {
		if m.controllers == "" {
			return r.numberOf(m, c.PID)
		}
	}
	return 0, fmt.Errorf("its process %d is in no cgroup of version 2 that carries its id", c.PID)
}

// numberOf gives the number of a cgroup of the version 2 tree, if the process is really found there.
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
		if err := gather(fd, pids, deepest); err != nil {
			return 0, err
		}
		if pids[first] {
			return id, nil
		}
	}
	return 0, fmt.Errorf("process %d is not found in the version 2 tree that is mounted here", first)
}

// handle gives a cgroup's number by its file handle, of which it is the whole (fs/kernfs/mount.c, kernfs_encode_fh); its inode is only the
// lower half of that before Linux 5.5, and serves where handles are not allowed.
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
