package kernel

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const cwd = unix.AT_FDCWD

// membership is one line of /proc/PID/cgroup: the cgroup of a process in one hierarchy.
type membership struct {
	controllers string // "" for version 2, else "cpu,cpuacct" or "name=systemd"
	path        string
}

// parseCgroup parses /proc/PID/cgroup (cgroups(7)): ID:CONTROLLERS:PATH. A path may contain colons.
func parseCgroup(text []byte) []membership {
	var list []membership
	for line := range bytes.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(string(line), "\n"), ":", 3)
		if len(parts) == 3 && strings.HasPrefix(parts[2], "/") {
			list = append(list, membership{parts[1], parts[2]})
		}
	}
	return list
}

// isID reports whether s is a container's full id. Anything shorter could be part of any path.
func isID(id string) bool {
	return len(id) == 64 && strings.Trim(id, "0123456789abcdef") == ""
}

// within cuts a path after the first component that contains the id, as "<id>" (cgroupfs),
// "docker-<id>.scope" (systemd) or "libpod-<id>.scope"; it returns "" if none does.
func within(path, id string) string {
	i := strings.Index(path, id)
	if i < 0 {
		return ""
	}
	if end := strings.IndexByte(path[i:], '/'); end >= 0 {
		return path[:i+end]
	}
	return path
}

// cgroupSet holds the cgroups of a container: its path in each hierarchy whose path contains the
// container's id.
type cgroupSet []membership

// cgroupsOf returns the container's cgroups from the memberships of its first process. The id only
// decides where to cut each path; the path itself comes from the process.
func cgroupsOf(list []membership, id string) cgroupSet {
	var h cgroupSet
	for _, m := range list {
		if p := within(m.path, id); p != "" {
			h = append(h, membership{m.controllers, p})
		}
	}
	return h
}

// contains reports whether a process with these memberships belongs to the container. One hierarchy
// is enough, because a process may have moved itself elsewhere in the others.
func (h cgroupSet) contains(list []membership) bool {
	for _, m := range list {
		for _, own := range h {
			if m.controllers == own.controllers && (m.path == own.path ||
				strings.HasPrefix(m.path, own.path+"/")) {
				return true
			}
		}
	}
	return false
}

func (r *Reader) memberships(pid int) ([]membership, error) {
	var list []membership
	err := withFile(cwd, r.path(pid, "cgroup"), func(text []byte) { list = parseCgroup(text) })
	return list, err
}

// errForeign means that a cgroup holds processes without a number here (cgroup.procs shows them as
// 0).
var errForeign = errors.New("its cgroup holds processes of a PID namespace that cannot be seen " +
	"from here")

// maxCgroupDepth limits how deep a tree of cgroups is read, since each level keeps a file open.
// Engines create one or two levels.
const maxCgroupDepth = 128

// members returns the processes in the container's cgroups. ok is false if no hierarchy is mounted
// where it could be read.
func (r *Reader) members(h cgroupSet) (pids map[int]bool, ok bool, err error) {
	pids = map[int]bool{}
	for _, m := range h {
		for _, t := range r.trees {
			dir, reached := t.dir(m.path)
			if !t.serves(m) || !reached {
				continue
			}
			fd, err := openAt(cwd, r.root+dir, unix.O_RDONLY|unix.O_DIRECTORY)
			if err != nil {
				continue // another mount or hierarchy, or the scan of /proc, will do
			}
			if err := gather(fd, pids, maxCgroupDepth); err != nil {
				return nil, false, err
			}
			ok = true
			break
		}
	}
	return pids, ok, nil
}

// gather adds the processes of a cgroup and its descendants, and closes fd. It opens relative to
// fd, because a hostile container can make its tree deeper than a path may be long.
func gather(fd int, pids map[int]bool, levels int) error {
	defer unix.Close(fd)
	if levels == 0 {
		return errors.New("its cgroups are nested too deeply")
	}
	foreign := false
	add := func(text []byte) { foreign = addPIDs(text, pids) || foreign }
	err := withFile(fd, "cgroup.procs", add)
	if errors.Is(err, unix.EOPNOTSUPP) { // a threaded cgroup of version 2 lists only threads
		err = withFile(fd, "cgroup.threads", add)
	}
	if vanished(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if foreign {
		return errForeign
	}
	return gatherChildren(fd, pids, levels)
}

// gatherChildren gathers from the cgroups below fd.
func gatherChildren(fd int, pids map[int]bool, levels int) error {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil && st.Nlink == 2 {
		// a leaf: kernfs counts subfolders as links (fs/kernfs/inode.c, kernfs_refresh_inode)
		return nil
	}
	dup, err := openAt(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return ignoreVanished(err)
	}
	f := os.NewFile(uintptr(dup), "cgroup")
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return ignoreVanished(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		child, err := openAt(fd, e.Name(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
		if vanished(err) {
			continue
		}
		if err != nil {
			return err
		}
		if err := gather(child, pids, levels-1); err != nil {
			return err
		}
	}
	return nil
}

func ignoreVanished(err error) error {
	if vanished(err) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// addPIDs adds the numbers in text, one on each line, and reports whether one of them is 0.
func addPIDs(text []byte, pids map[int]bool) (foreign bool) {
	for line := range bytes.Lines(text) {
		n, err := strconv.Atoi(string(bytes.TrimSuffix(line, []byte("\n"))))
		switch {
		case err != nil || n < 0:
		case n == 0:
			foreign = true
		default:
			pids[n] = true
		}
	}
	return foreign
}

// scan finds the container's processes among all processes of the host, for hosts where no cgroup
// tree is mounted.
func (r *Reader) scan(h cgroupSet) (map[int]bool, error) {
	pids := map[int]bool{}
	err := r.eachPID(func(pid int) error {
		list, err := r.memberships(pid)
		if vanished(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.contains(list) {
			pids[pid] = true
		}
		return nil
	})
	return pids, err
}

// eachPID calls visit for every process in /proc until it fails.
func (r *Reader) eachPID(visit func(pid int) error) error {
	d, err := os.Open(r.proc)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil || pid <= 0 {
			continue
		}
		if err := visit(pid); err != nil {
			return err
		}
	}
	return nil
}
