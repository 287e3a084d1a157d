package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dropcap"
)

// MountTable is the mounts that a process sees, to tell where in which file system a path leads: bind mounts
// and subvolumes give one folder several paths, and an overlay's layers keep its files a second time.
type MountTable struct {
	reader *Reader
	pid    int    // whose; 0 is this process
	root   string // what stands before a path to open it from here
	list   []mount
}

// MountTable reads the mounts of a process; 0 is this one.
func (r *Reader) MountTable(pid int) (*MountTable, error) {
	t := &MountTable{reader: r}
	if err := t.read(); err != nil || pid == 0 {
		return t, err
	}
	other := &MountTable{reader: r, pid: pid, root: r.path(pid, "root")}
	if err := other.read(); err != nil {
		return nil, err
	}
	for _, m := range other.list { // each namespace has mounts of its own, so that one with the same id is the same
		if slices.ContainsFunc(t.list, func(own mount) bool { return own.id == m.id }) {
			return t, nil
		}
	}
	return other, nil
}

func (t *MountTable) read() error {
	file := "/proc/self/mountinfo"
	if t.pid != 0 {
		file = t.reader.path(t.pid, "mountinfo")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the mounts: %w", err)
	}
	t.list = parseMountinfo(text)
	return nil
}

// keepers are the file systems that keep what is in them themselves, where no other path but the mounts'
// leads. What a network, a program (FUSE) or another folder keeps may be changed there by anybody.
var keepers = []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "nilfs2", "bcachefs", "ubifs", "vfat", "exfat",
	"tmpfs", "ramfs", "rootfs", "squashfs", "erofs", "iso9660", "overlay"}

// mounted gives the mount on which an open file is.
func (t *MountTable) mounted(fd int) (mount, error) {
	id, err := mountID(fd)
	if err != nil {
		return mount{}, err
	}
	for range 2 {
		if i := slices.IndexFunc(t.list, func(m mount) bool { return m.id == id }); i >= 0 {
			return t.list[i], nil
		}
		if err := t.read(); err != nil { // it was mounted since
			return mount{}, err
		}
	}
	return mount{}, errors.New("the kernel does not list its mount")
}

// mountID is the id under which mountinfo lists the mount of an open file (proc_pid_fdinfo(5)).
func mountID(fd int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strings.TrimSpace(id), nil
		}
	}
	return "", errors.New("the kernel does not tell its mount")
}

// spot is where in the mount's file system a path leads that goes through the mount.
func (m mount) spot(at string) (dropcap.Spot, error) {
	inside, ok := strings.CutPrefix(at, strings.TrimSuffix(m.point, "/"))
	if !ok || inside != "" && inside[0] != '/' || strings.HasSuffix(m.root, "//deleted") {
		return dropcap.Spot{}, fmt.Errorf("its mount at %s does not lead there any more", m.point)
	}
	return dropcap.Spot{Device: m.device, Path: path.Clean(m.root + inside)}, nil
}

// spots are where a path is kept that is open as fd: in the mount's file system and, of an overlay, in its
// layers. Elsewhere says why that is not all.
func (t *MountTable) spots(fd int, at string, depth int) (list []dropcap.Spot, elsewhere string) {
	m, err := t.mounted(fd)
	if err != nil {
		return nil, err.Error()
	}
	s, err := m.spot(at)
	if err != nil {
		return nil, err.Error()
	}
	list = append(list, s)
	if !slices.Contains(keepers, m.kind) {
		return list, "it is on a file system (" + m.kind + ") that is kept elsewhere"
	}
	if m.kind != "overlay" {
		return list, ""
	}
	for _, layer := range m.layers() {
		below, why := t.layerSpots(layer, depth)
		if why != "" {
			return list, why
		}
		for _, b := range below {
			list = append(list, dropcap.Spot{Device: b.Device, Path: path.Join(b.Path, s.Path)})
		}
	}
	return list, ""
}

// layers are the folders that an overlay is made of (fs/overlayfs/params.c, ovl_show_options).
func (m mount) layers() []string {
	var out []string
	for _, o := range m.options {
		name, value, _ := strings.Cut(o, "=")
		value = unescape(value)
		switch name {
		case "upperdir", "lowerdir+", "datadir+":
			out = append(out, value)
		case "lowerdir":
			const colon = "\x00"
			for _, one := range strings.Split(strings.ReplaceAll(value, `\:`, colon), ":") {
				if one != "" {
					out = append(out, strings.ReplaceAll(one, colon, ":"))
				}
			}
		}
	}
	return out
}

// mostNested is how deep overlays of overlays are looked into.
const mostNested = 4

// layerSpots are where a layer of an overlay is kept. Its path is as whoever mounted it saw it: before the root
// was changed (a live system, this process in a container) it may have led elsewhere, so each mount is tried
// that may have been there. A layer that no mount leads to can be reached by nobody who sees these mounts.
func (t *MountTable) layerSpots(layer string, depth int) ([]dropcap.Spot, string) {
	if depth >= mostNested {
		return nil, "its overlays are too deep"
	}
	var out []dropcap.Spot
	for _, p := range t.mayBe(path.Clean("/" + layer)) { // containerd tells them from a folder of its own on
		list, _, why := t.at(p, depth+1)
		switch {
		case errors.Is(why, fs.ErrNotExist):
			continue
		case why != nil:
			return nil, why.Error()
		}
		out = append(out, list...)
	}
	return out, ""
}

// mayBe are the paths that a layer's may have become: itself, and any end of it below a mount.
func (t *MountTable) mayBe(layer string) []string {
	out := []string{layer}
	for _, m := range t.list {
		if !slices.Contains(keepers, m.kind) {
			continue
		}
		for rest := layer; ; {
			_, after, more := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
			if p := path.Join(m.point, rest); !slices.Contains(out, p) {
				out = append(out, p)
			}
			if !more {
				break
			}
			rest = "/" + after
		}
	}
	return out
}

// at are the spots of a path, and the path without links. The error is an fs.ErrNotExist where nothing is there.
func (t *MountTable) at(p string, depth int) (list []dropcap.Spot, real string, err error) {
	fd, err := unix.Open(t.root+p, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, unix.ENOTDIR) {
			err = unix.ENOENT
		}
		return nil, "", err
	}
	defer unix.Close(fd)
	if real, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil {
		return nil, "", err
	}
	list, why := t.spots(fd, real, depth)
	if len(list) == 0 {
		return nil, "", errors.New(why)
	}
	return list, real, nil // whatever else it may be: the path that was mounted is among them
}
