package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"dropcap"
)

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
