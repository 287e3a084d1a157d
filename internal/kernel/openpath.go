package kernel

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dropcap"
)

// OpenNoFollow opens a file through each folder above it, from the root and without following
// links, and describes each of them and where it is stored. The open file is the very one that was
// described; it is nil if the path does not lead to a regular file. Nothing but a regular file is
// opened for reading.
func (t *MountTable) OpenNoFollow(
	file string) (waypoints []dropcap.Waypoint, opened *os.File, err error) {
	file = filepath.Clean(file)
	if !filepath.IsAbs(file) {
		return nil, nil, fmt.Errorf("%s is no whole path", file)
	}
	const look = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Open("/", look, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { unix.Close(fd) }()
	at := "/"
	for _, name := range append([]string{""}, strings.Split(strings.Trim(file, "/"), "/")...) {
		if name != "" {
			next, err := unix.Openat(fd, name, look, 0)
			if err != nil {
				return nil, nil, err
			}
			unix.Close(fd)
			fd, at = next, path.Join(at, name)
		}
		point, err := t.waypoint(fd, at)
		if err != nil {
			return nil, nil, err
		}
		waypoints = append(waypoints, point)
		if point.Link {
			return waypoints, nil, nil
		}
	}
	if !waypoints[len(waypoints)-1].Regular {
		return waypoints, nil, nil
	}
	opened, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd),
		os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	return waypoints, opened, err
}

func (t *MountTable) waypoint(fd int, at string) (dropcap.Waypoint, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return dropcap.Waypoint{}, err
	}
	kind := st.Mode & unix.S_IFMT
	p := dropcap.Waypoint{
		Path: at, UID: st.Uid, Mode: st.Mode & 0o1777, Link: kind == unix.S_IFLNK,
		Folder: kind == unix.S_IFDIR, Regular: kind == unix.S_IFREG,
		Names: uint64(st.Nlink),
	}
	p.Spots, p.WhyNot = t.spots(fd, at, 0)
	return p, nil
}

// Reachable returns the spots that a mount of a path makes reachable: the path's own, and those of
// the mounts below it. For a block device it returns its whole file system. The error is
// fs.ErrNotExist if there is nothing.
func (t *MountTable) Reachable(p string) ([]dropcap.Spot, error) {
	var st unix.Stat_t
	if err := unix.Stat(t.root+p, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFBLK {
		return t.disk(st.Rdev), nil
	}
	list, real, err := t.locate(p, 0)
	if err != nil {
		return nil, err
	}
	return append(list, t.below(real)...), nil
}

// ReachableBelow returns what Reachable does without the path's own spots: what a read-only mount
// of the path leaves writable, since that does not extend to the mounts below it (mount(2), MS_BIND
// and MS_REC).
func (t *MountTable) ReachableBelow(p string) ([]dropcap.Spot, error) {
	var st unix.Stat_t
	if err := unix.Stat(t.root+p, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFBLK { // a device is written to all the same
		return t.disk(st.Rdev), nil
	}
	_, real, err := t.locate(p, 0)
	if err != nil {
		return nil, err
	}
	return t.below(real), nil
}

// below returns the spots of the mounts below a path.
func (t *MountTable) below(real string) (list []dropcap.Spot) {
	for _, m := range t.list {
		if strings.HasPrefix(m.point, strings.TrimSuffix(real, "/")+"/") {
			list = append(list, dropcap.Spot{Device: m.device, Path: m.root})
		}
	}
	return list
}

// disk returns the whole file system on a block device, under its own number and under those of its
// mounts (btrfs uses other numbers).
func (t *MountTable) disk(rdev uint64) []dropcap.Spot {
	list := []dropcap.Spot{{Device: fmt.Sprintf("%d:%d", unix.Major(rdev), unix.Minor(rdev)),
		Path: "/"}}
	for _, m := range t.list {
		var st unix.Stat_t
		if unix.Stat(t.root+m.source, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFBLK &&
			st.Rdev == rdev {
			list = append(list, dropcap.Spot{Device: m.device, Path: "/"})
		}
	}
	return list
}

// MountedBy returns the spots of all that a process has mounted, as the kernel lists them,
// including what was mounted below its mounts later. layers are the folders in which its overlays
// store what it writes. With writable, only mounts that can be written to count. The error is
// fs.ErrNotExist if the process has ended.
func (r *Reader) MountedBy(pid int, writable bool) (spots []dropcap.Spot, layers []string,
	err error) {
	text, err := os.ReadFile(r.path(pid, "mountinfo"))
	if err != nil {
		return nil, nil, err
	}
	for _, m := range parseMountinfo(text) {
		if writable && m.readOnly {
			continue
		}
		s := dropcap.Spot{Device: m.device, Path: strings.TrimSuffix(m.root, "//deleted")}
		if !slices.Contains(spots, s) {
			spots = append(spots, s)
		}
		if m.kind != "overlay" {
			continue
		}
		for _, o := range m.options {
			if upper, ok := strings.CutPrefix(o, "upperdir="); ok && path.IsAbs(unescape(upper)) {
				layers = append(layers, unescape(upper))
			}
		}
	}
	return spots, layers, nil
}
