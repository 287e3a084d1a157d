package layer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
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

// copyContent makes the new file's contents the old one's: by sharing blocks where the file system
// can (ioctl_ficlone(2)), else by copying, holes left as they are. It returns the digest of what
// was written.
func copyContent(ctx context.Context, to, from *os.File, size int64) ([32]byte, error) {
	if err := unix.IoctlFileClone(int(to.Fd()), int(from.Fd())); err == nil {
		return digestOf(ctx, to)
	}
	if err := to.Truncate(size); err != nil {
		return [32]byte{}, err
	}
	d := newDigester()
	err := eachBlock(ctx, from, func(at int64, b []byte) error {
		d.add(at, b)
		return writePages(to, at, b)
	})
	return d.sum(), err
}

// page is how finely holes are kept, in bytes.
const page = 4 << 10

// writePages writes what is not zero, so that holes stay holes.
func writePages(to *os.File, at int64, b []byte) error {
	for len(b) > 0 {
		n := 0
		for n < len(b) && !isZero(b[n:min(n+page, len(b))]) {
			n = min(n+page, len(b))
		}
		if n > 0 {
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

// digestOf reads a file's contents. Holes and written zeros are the same.
func digestOf(ctx context.Context, f *os.File) ([32]byte, error) {
	d := newDigester()
	err := eachBlock(ctx, f, func(at int64, b []byte) error {
		d.add(at, b)
		return nil
	})
	return d.sum(), err
}

// eachBlock reads the parts of a file that are not holes, block by block, each within one aligned
// block.
func eachBlock(ctx context.Context, f *os.File, do func(at int64, b []byte) error) error {
	buffer := make([]byte, block)
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // holes only, to the end
		}
		if err != nil {
			return err
		}
		data -= data % block
		n, err := f.ReadAt(buffer, max(data, 0))
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
		at = data + int64(n)
	}
}

// digester sums up blocks with their places. Blocks of zeros count like holes.
type digester struct{ h hash.Hash }

func newDigester() digester { return digester{sha256.New()} }

func (d digester) add(at int64, b []byte) {
	if isZero(b) {
		return
	}
	var place [8]byte
	binary.LittleEndian.PutUint64(place[:], uint64(at))
	d.h.Write(place[:])
	d.h.Write(b)
}

func (d digester) sum() (out [32]byte) {
	d.h.Sum(out[:0])
	return out
}
