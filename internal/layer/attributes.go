package layer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ownAttributes belong to one overlay mount and not to what is in its layer: the kernel gives each
// new one its own (fs/overlayfs/util.c, ovl_init_uuid_xattr).
var ownAttributes = []string{"trusted.overlay.uuid"}

// attributes reads all extended attributes of an entry: access control lists, file capabilities,
// security labels and overlayfs's own marks are among them (xattr(7)); and its inode's flags.
func attributes(e *entry) (map[string][]byte, error) {
	out, err := extended(e)
	if err != nil {
		return nil, err
	}
	flags, err := flagsOf(e)
	if err != nil || flags == 0 {
		return out, err
	}
	if out == nil {
		out = map[string][]byte{}
	}
	out[flagsName] = binary.LittleEndian.AppendUint32(nil, flags)
	return out, nil
}

func extended(e *entry) (map[string][]byte, error) {
	list, err := grown(func(b []byte) (int, error) { return unix.Llistxattr(e.magic(), b) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the attributes of %q: %w", e.path, err)
	}
	out := map[string][]byte{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if name == "" || slices.Contains(ownAttributes, name) {
			continue
		}
		value, err := grown(func(b []byte) (int, error) {
			return unix.Lgetxattr(e.magic(), name, b)
		})
		if errors.Is(err, unix.ENODATA) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read the attribute %s of %q: %w", name, e.path, err)
		}
		out[name] = value
	}
	return out, nil
}

// grown asks for the size first, and again while what is read grows.
func grown(read func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := read(nil)
		if err != nil || n == 0 {
			return nil, err
		}
		b := make([]byte, n)
		n, err = read(b)
		if errors.Is(err, unix.ERANGE) {
			continue
		}
		return b[:max(n, 0)], err
	}
}

// imitate gives an entry of the new layer the owner, mode, attributes and times of one of the old
// layer. Its order matters: a change of owner clears set-user-ID bits and file capabilities
// (chown(2)), and any change of a folder its times.
func imitate(to *entry, like *unix.Stat_t, attrs map[string][]byte) error {
	if to.stat.Uid != like.Uid || to.stat.Gid != like.Gid {
		err := unix.Fchownat(to.parent, to.name, int(like.Uid), int(like.Gid),
			unix.AT_SYMLINK_NOFOLLOW)
		if err != nil {
			return fmt.Errorf("give %q its owner: %w", to.path, err)
		}
	}
	if to.kind() != unix.S_IFLNK { // a link's own mode means nothing (symlink(7))
		if err := unix.Fchmodat(to.parent, to.name, like.Mode&0o7777, 0); err != nil {
			return fmt.Errorf("give %q its mode: %w", to.path, err)
		}
	}
	if err := setAttributes(to, attrs); err != nil {
		return err
	}
	times := []unix.Timespec{like.Atim, like.Mtim}
	if err := unix.UtimesNanoAt(to.parent, to.name, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("give %q its times: %w", to.path, err)
	}
	return nil
}

// setAttributes makes an entry's attributes exactly these.
func setAttributes(to *entry, want map[string][]byte) error {
	have, err := attributes(to)
	if err != nil {
		return err
	}
	if !bytes.Equal(have[flagsName], want[flagsName]) {
		if err := setFlags(to, want[flagsName]); err != nil {
			return err
		}
	}
	for name := range have {
		if _, ok := want[name]; ok || name == flagsName {
			continue
		}
		if err := unix.Lremovexattr(to.magic(), name); err != nil && !errors.Is(err, unix.ENODATA) {
			return fmt.Errorf("remove the attribute %s of %q: %w", name, to.path, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if old, ok := have[name]; name == flagsName || ok && bytes.Equal(old, want[name]) {
			continue
		}
		if err := unix.Lsetxattr(to.magic(), name, want[name], 0); err != nil {
			return fmt.Errorf("set the attribute %s of %q: %w", name, to.path, err)
		}
	}
	return nil
}

// describe writes down everything of an entry that must be the same in both layers but its
// contents. A folder's size and everything's time of last access say nothing.
func describe(e *entry, attrs map[string][]byte, target string) []byte {
	var b bytes.Buffer
	field := func(v []byte) {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(v)))
		b.Write(n[:])
		b.Write(v)
	}
	number := func(v uint64) {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], v)
		b.Write(n[:])
	}
	mode := e.stat.Mode
	if e.kind() == unix.S_IFLNK {
		mode = unix.S_IFLNK
	}
	field([]byte(e.path))
	number(uint64(mode))
	number(uint64(e.stat.Uid))
	number(uint64(e.stat.Gid))
	number(uint64(e.stat.Mtim.Nano()))
	switch e.kind() {
	case unix.S_IFREG:
		number(uint64(e.stat.Size))
	case unix.S_IFCHR, unix.S_IFBLK:
		number(e.stat.Rdev)
	}
	field([]byte(target))
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		field([]byte(name))
		field(attrs[name])
	}
	return b.Bytes()
}

// linkTarget reads a symbolic link; "" for anything else.
func linkTarget(e *entry) (string, error) {
	if e.kind() != unix.S_IFLNK {
		return "", nil
	}
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(e.parent, e.name, b)
	if errors.Is(err, unix.EINVAL) { // it is no link any more
		err = errMoved
	}
	if err != nil {
		return "", fmt.Errorf("read the link %q: %w", e.path, err)
	}
	return string(b[:n]), nil
}
