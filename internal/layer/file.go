package layer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// block is the unit in which contents are copied and compared, in bytes.
const block = 256 << 10

var zeros [block]byte

// openFile opens a regular file of the old layer. It must still be the one that was looked at.
func openFile(e *entry) (*os.File, error) {
	const how = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := unix.Openat(e.parent, e.name, how|unix.O_NOATIME, 0)
	if errors.Is(err, unix.EPERM) { // only the owner and root's equal may read without a trace
		fd, err = unix.Openat(e.parent, e.name, how, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", e.path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != e.stat.Ino ||
		st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return nil, fmt.Errorf("open %q: %w", e.path, errMoved)
	}
	return os.NewFile(uintptr(fd), e.path), nil
}

// errMoved is the cause where something was replaced while it was looked at. The next pass sees it
// again.
var errMoved = errors.New("it was replaced meanwhile")

// contents makes a new file's contents the old one's: where an earlier pass has copied it, by
// comparing both and writing what differs, which costs less than a copy that has to be read back
// (pages in memory are not shared with a clone); else by sharing blocks where the file system can
// (ioctl_ficlone(2)), or by copying, holes left as they are.
func (p *pass) contents(from, to *entry, there bool) error {
	old, err := openFile(from)
	if err != nil {
		return err
	}
	defer old.Close()
	fd, err := unix.Openat(to.parent, to.name,
		unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("make %q: %w", to.path, err)
	}
	made := os.NewFile(uintptr(fd), to.path)
	defer made.Close()
	before := p.known[from.path]
	if before == nil {
		before = &content{digests: newDigests()}
	}
	c := &content{from: stampOf(&from.stat), digests: newDigests()}
	switch {
	case there:
		c.read, err = true, p.update(made, old, from.stat.Size, before.digests, c.digests)
	case unix.IoctlFileClone(fd, int(old.Fd())) == nil:
		c.read = true
		c.digests, err = digest(p.ctx, made)
	default:
		err = p.copy(made, old, from.stat.Size, c.digests)
	}
	if err != nil {
		return fmt.Errorf("copy %q: %w", from.path, err)
	}
	p.known[from.path] = c
	return nil
}

// copy writes what the old file holds into a new one that is empty.
func (p *pass) copy(to, from *os.File, size int64, now *digests) error {
	if err := to.Truncate(size); err != nil {
		return err
	}
	return eachBlock(p.ctx, from, 0, math.MaxInt64, func(at int64, b []byte) error {
		now.add(at, b)
		return p.write(to, at, b)
	})
}

// page is how finely holes are kept, in bytes.
const page = 4 << 10

// write writes what is not zero, so that holes stay holes.
func (p *pass) write(to *os.File, at int64, b []byte) error {
	for len(b) > 0 {
		n := 0
		for n < len(b) && !isZero(b[n:min(n+page, len(b))]) {
			n = min(n+page, len(b))
		}
		if n > 0 {
			if p.spare.Add(-int64(n)) < 0 {
				return ErrRoom
			}
			if _, err := to.WriteAt(b[:n], at); err != nil {
				return err
			}
		} else {
			n = min(page, len(b))
		}
		at, b = at+int64(n), b[n:]
	}
	return nil
}

func isZero(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }

// eachBlock reads the parts of a file from one place to another that are not holes, block by block,
// each within one aligned block. It begins at one, and ends where the file does at the latest.
func eachBlock(ctx context.Context, f *os.File, at, end int64, do func(int64, []byte) error) error {
	buffer := make([]byte, block)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || err == nil && data >= end {
			return nil // holes only, to the end
		}
		if err != nil {
			return err
		}
		data -= data % block
		n, err := f.ReadAt(buffer, data)
		if n > 0 {
			if err := do(data, buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || n == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if at = data + int64(n); at >= end {
			return nil
		}
	}
}
