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

// MountTable holds the mounts that a process sees. It finds where in which file system a path is
// stored: bind mounts and subvolumes make one folder visible under several paths, and an overlay's
// layers hold its files a second time.
type MountTable struct {
	reader *Reader
	pid    int    // whose mounts; 0 is this process
	root   string // prefix that opens the process's paths from here
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
	for _, m := range other.list {
		// a mount id belongs to one namespace, so a shared id means the same namespace
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

// localFilesystems store their own content, so only their mounts lead to it. A network, a program
// (FUSE) or another folder may let anybody change what it stores.
var localFilesystems = []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs",
	"reiserfs", "nilfs2", "bcachefs", "ubifs", "vfat", "exfat",
	"tmpfs", "ramfs", "rootfs", "squashfs", "erofs", "iso9660", "overlay"}

// mounted returns the mount of an open file.
func (t *MountTable) mounted(fd int) (mount, error) {
	id, err := mountID(fd)
	if err != nil {
		return mount{}, err
	}
	for range 2 {
		if i := slices.IndexFunc(t.list, func(m mount) bool { return m.id == id }); i >= 0 {
			return t.list[i], nil
		}
		if err := t.read(); err != nil { // it may be a newer mount
			return mount{}, err
		}
	}
	return mount{}, errors.New("the kernel does not list its mount")
}

// mountID returns the id under which mountinfo lists the mount of an open file
// (proc_pid_fdinfo(5)).
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

// spot returns where a path through the mount is stored in the mount's file system.
func (m mount) spot(at string) (dropcap.Spot, error) {
	inside, ok := strings.CutPrefix(at, strings.TrimSuffix(m.point, "/"))
	if !ok || inside != "" && inside[0] != '/' || strings.HasSuffix(m.root, "//deleted") {
		return dropcap.Spot{}, fmt.Errorf("its mount at %s does not lead there any more", m.point)
	}
	return dropcap.Spot{Device: m.device, Path: path.Clean(m.root + inside)}, nil
}

// spots returns where a path, open as fd, is stored: in the mount's file system and, for an
// overlay, in its layers. A non-empty elsewhere says why the list is incomplete.
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
	if !slices.Contains(localFilesystems, m.kind) {
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

// layers returns the folders that make up an overlay (fs/overlayfs/params.c, ovl_show_options).
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

// maxOverlayDepth limits how deep overlays of overlays are followed.
const maxOverlayDepth = 4

// layerSpots returns where a layer of an overlay is stored. The layer's path is the one that its
// mounter saw. Under an earlier root (a live system, this process in a container) it may have led
// elsewhere, so layerSpots tries each mount that the path may have gone through. A layer that no
// mount leads to is out of reach for everybody who sees these mounts.
func (t *MountTable) layerSpots(layer string, depth int) ([]dropcap.Spot, string) {
	if depth >= maxOverlayDepth {
		return nil, "its overlays are too deep"
	}
	var out []dropcap.Spot
	for _, p := range t.candidates(path.Clean("/" + layer)) {
		// containerd writes them relative to a folder of its own
		list, _, why := t.locate(p, depth+1)
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

// candidates returns the paths that a layer's path may stand for: itself, and each of its suffixes
// below a mount.
func (t *MountTable) candidates(layer string) []string {
	out := []string{layer}
	for _, m := range t.list {
		if !slices.Contains(localFilesystems, m.kind) {
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

// locate returns the spots of a path, and the path with its links resolved. The error is
// fs.ErrNotExist if there is nothing.
func (t *MountTable) locate(p string, depth int) (list []dropcap.Spot, real string, err error) {
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
	return list, real, nil // even if incomplete, the list includes the path that was mounted
}
