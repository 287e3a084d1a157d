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

// membership is one line of /proc/PID/cgroup: a process's cgroup in one hierarchy.
type membership struct {
	controllers string // "" for version 2, else "cpu,cpuacct" or "name=systemd"
	path        string
}

// parseCgroup reads /proc/PID/cgroup (cgroups(7)): ID:CONTROLLERS:PATH. A path may hold colons.
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

// isID tells whether this is a container's full id. Anything shorter could be part of any path.
func isID(id string) bool {
	return len(id) == 64 && strings.Trim(id, "0123456789abcdef") == ""
}

// within cuts a path after the first component that holds the id, as "<id>" (cgroupfs), "docker-<id>.scope" (systemd) or
// "libpod-<id>.scope"; empty if none does.
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

// home is where a container's processes are: for each hierarchy whose path holds its id, that path.
type home []membership

// homeOf makes a home of its first process's memberships. The id decides only how long the path is; which one it is, the process says.
func homeOf(list []membership, id string) home {
	var h home
	for _, m := range list {
		if p := within(m.path, id); p != "" {
			h = append(h, membership{m.controllers, p})
		}
	}
	return h
}

// holds tells whether a process with these memberships belongs to the container. In one hierarchy is enough: a process may have moved
// itself elsewhere in the others.
func (h home) holds(list []membership) bool {
	for _, m := range list {
		for _, own := range h {
			if m.controllers == own.controllers && (m.path == own.path || strings.HasPrefix(m.path, own.path+"/")) {
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

// errForeign says that a cgroup holds processes that have no number here (cgroup.procs shows them as 0).
var errForeign = errors.New("its cgroup holds processes of a PID namespace that cannot be seen from here")

// deepest is where a tree of cgroups is given up, since each level keeps a file open. Engines make one or two levels.
const deepest = 128

// members lists the processes of the container's cgroups. false: no hierarchy is mounted where it could be read.
func (r *Reader) members(h home) (pids map[int]bool, ok bool, err error) {
	pids = map[int]bool{}
	for _, m := range h {
		for _, t := range r.trees {
			dir, reached := t.dir(m.path)
			if !t.serves(m) || !reached {
				continue
			}
			fd, err := openAt(cwd, r.root+dir, unix.O_RDONLY|unix.O_DIRECTORY)
			if err != nil {
				continue // another mount, another hierarchy, or the scan of /proc will do
			}
			if err := gather(fd, pids, deepest); err != nil {
				return nil, false, err
			}
			ok = true
			break
		}
	}
	return pids, ok, nil
}

// gather adds the processes of a cgroup and of those below it, and closes fd. Relative opens: a hostile container can make its tree
// deeper than a path may be long.
func gather(fd int, pids map[int]bool, levels int) error {
	defer unix.Close(fd)
	if levels == 0 {
		return errors.New("its cgroups are nested too deeply")
	}
	foreign := false
	add := func(text []byte) { foreign = addPIDs(text, pids) || foreign }
	err := withFile(fd, "cgroup.procs", add)
	if errors.Is(err, unix.EOPNOTSUPP) { // a threaded cgroup of version 2 lists threads only
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
	return below(fd, pids, levels)
}

// below gathers from the cgroups under fd.
func below(fd int, pids map[int]bool, levels int) error {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil && st.Nlink == 2 {
		return nil // a leaf: kernfs counts a folder's folders (fs/kernfs/inode.c, kernfs_refresh_inode)
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

// addPIDs reads one number a line; true if one is 0.
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

// scan finds the container's processes by asking every process of the host, for where no cgroup tree is mounted.
func (r *Reader) scan(h home) (map[int]bool, error) {
	pids := map[int]bool{}
	err := r.eachPID(func(pid int) error {
		list, err := r.memberships(pid)
		if vanished(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.holds(list) {
			pids[pid] = true
		}
		return nil
	})
	return pids, err
}

// eachPID calls visit for every process of /proc until it fails.
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
