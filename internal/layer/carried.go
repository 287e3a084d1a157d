package layer

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Carried is what was carried into a layer: of each entry but folders a number that stands for its
// path, inode, size and time of status change. The kernel alone sets that time, and any change of
// contents or attributes changes it, so that the numbers tell what was written since without a
// clock that somebody may have set.
type Carried map[uint64]bool

// carriedFile is where they are kept: beside the layer, where no container sees it, in the folder
// that the engine removes together with the container.
const carriedFile = "dropcap-carried"

// number is what stands for an entry. Two entries of a layer have the same number once in 2^64.
func number(path string, s stamp) uint64 {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], s.inode)
	binary.LittleEndian.PutUint64(b[8:], uint64(s.size))
	binary.LittleEndian.PutUint64(b[16:], uint64(s.changed))
	sum := sha256.Sum256(append(b[:], path...))
	return binary.LittleEndian.Uint64(sum[:])
}

// Carried returns what the new layer held when it was proven to be the same as the old one.
func (c *Carrier) Carried() Carried {
	out := make(Carried, len(c.sums[1]))
	for path, s := range c.sums[1] {
		out[number(path, s.mark.stamp)] = true
	}
	return out
}

// Keep keeps it beside the layer, given as a folder of this host, until the engine removes both.
func (c Carried) Keep(path string) error {
	b := make([]byte, 0, 8*len(c))
	for n := range c {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	file := filepath.Join(filepath.Dir(path), carriedFile)
	if err := errors.Join(os.WriteFile(file+".new", b, 0o600),
		os.Rename(file+".new", file)); err != nil {
		return fmt.Errorf("keep what was carried: %w", err)
	}
	return nil
}

// kept reads what was carried into a layer; nil if nobody has kept it.
func kept(path string) (Carried, error) {
	fd, err := unix.Open(filepath.Join(filepath.Dir(path), carriedFile),
		unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was carried: %w", err)
	}
	f := os.NewFile(uintptr(fd), carriedFile)
	defer f.Close()
	b, err := readAtMost(f, mostNames)
	if err != nil {
		return nil, fmt.Errorf("read what was carried: %w", err)
	}
	out := Carried{}
	for ; len(b) >= 8; b = b[8:] {
		out[binary.LittleEndian.Uint64(b)] = true
	}
	return out, nil
}

func readAtMost(f *os.File, most int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, errors.New("it is not what dropcap wrote")
	}
	b := make([]byte, info.Size())
	n, err := f.ReadAt(b, 0)
	if n == len(b) {
		err = nil
	}
	return b, err
}
