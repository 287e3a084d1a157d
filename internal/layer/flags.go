package layer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// flagsName is the name under which an inode's flags stand among its attributes; no extended
// attribute has an empty one.
const flagsName = ""

// The flags that chattr(1) sets (include/uapi/linux/fs.h, FS_…_FL). Carried are those that mean the
// same wherever the file is. Of the others, how blocks are stored is the file system's matter.
const (
	flagImmutable = 0x10
	flagAppend    = 0x20
	flagsCarried  = 0x1 | 0x2 | 0x8 | 0x40 | 0x80 | 0x8000 | 0x10000 // s u S d A t D
)

// ErrFlags is the cause where a flag stands in the way of carrying a layer: the copy could not be
// brought up to date any more. Since Linux 5.14 overlayfs keeps both in an attribute, which is
// carried (fs/overlayfs/util.c, ovl_set_protattr).
var ErrFlags = errors.New("a file that may not be changed (chattr +i or +a) cannot be carried along")

// flagsOf reads an inode's flags. Only regular files and folders have any, and not on every file
// system.
func flagsOf(e *entry) (uint32, error) {
	fd := e.folder
	switch {
	case e.isFolder() && fd < 0:
		var err error
		if fd, err = openFolder(e.parent, e.name); err != nil {
			return 0, fmt.Errorf("open %q: %w", e.path, errMoved)
		}
		defer unix.Close(fd)
	case e.isRegular():
		f, err := openFile(e)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		fd = int(f.Fd())
	case !e.isFolder():
		return 0, nil
	}
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	switch {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EINVAL):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("read the flags of %q: %w", e.path, err)
	case flags&(flagImmutable|flagAppend) != 0:
		return 0, fmt.Errorf("look at %q: %w", e.path, ErrFlags)
	}
	return flags & flagsCarried, nil
}

// setFlags gives an entry of the new layer these flags, as they stand among attributes, and leaves
// those that are not carried as they are.
func setFlags(to *entry, value []byte) error {
	var want uint32
	if len(value) == 4 {
		want = binary.LittleEndian.Uint32(value)
	}
	const how = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := unix.Openat(to.parent, to.name, how, 0)
	if err != nil {
		return fmt.Errorf("open %q: %w", to.path, err)
	}
	defer unix.Close(fd)
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags&^flagsCarried|want))
	}
	if err != nil {
		return fmt.Errorf("give %q its flags: %w", to.path, err)
	}
	return nil
}
