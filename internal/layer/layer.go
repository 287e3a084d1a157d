// Package layer carries the writable layer of one container over to another that has the same
// image: it makes one folder of overlayfs's upper kind equal to another, and proves that it is.
//
// The old layer is read and never written. Whoever is in the container controls what stands there
// and may change it at any moment, so every path is walked by open folders, no link is ever
// followed, and no file is opened in a way that could block.
package layer

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Size is how much there is in a layer.
type Size struct {
	Entries int64 // files, folders, links, devices and whiteouts
	Bytes   int64 // that its files occupy on disk
}

// Carrier makes the layer To equal to the layer From. It works in passes: the first while the
// container runs, the last after it has stopped. A pass copies only what may have changed since the
// one before.
type Carrier struct {
	from, to int // open folders
	// since is when the pass before began: what changed after it has a later status change (ctime).
	since time.Time
	known map[string]content // by path in the layer, of regular files
}

// content is what is known of a regular file that was copied.
type content struct {
	inode  uint64 // of the old layer's file
	digest [32]byte
	// of the new layer's file when its contents were last read back; zero if they were not
	copied stamp
}

// stamp tells whether a file may have been written since: any write changes its time of status
// change.
type stamp struct {
	inode   uint64
	changed int64 // nanoseconds
}

func stampOf(st *unix.Stat_t) stamp { return stamp{st.Ino, st.Ctim.Nano()} }

// Open opens both layers, given as folders of this host. Close it.
func Open(from, to string) (*Carrier, error) {
	c := &Carrier{from: -1, to: -1, known: map[string]content{}}
	for _, f := range []struct {
		path string
		into *int
	}{{from, &c.from}, {to, &c.to}} {
		fd, err := unix.Open(f.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC,
			0)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("open the layer %s: %w", f.path, err)
		}
		*f.into = fd
	}
	return c, nil
}

// Close closes both layers.
func (c *Carrier) Close() {
	for _, fd := range []int{c.from, c.to} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// Measure returns how much there is in the old layer.
func (c *Carrier) Measure(ctx context.Context) (Size, error) {
	var s Size
	seen := map[uint64]bool{} // of files with several names, which occupy their blocks once
	err := walk(ctx, c.from, func(e *entry) error {
		if e.folder < 0 { // a folder is visited once more when it is left
			s.Entries++
		}
		if e.isRegular() && !seen[e.stat.Ino] {
			s.Bytes += e.stat.Blocks * 512
			if e.stat.Nlink > 1 {
				seen[e.stat.Ino] = true
			}
		}
		return nil
	})
	return s, err
}

// Room returns how many bytes an ordinary user of the new layer's file system may still write.
func (c *Carrier) Room() (int64, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(c.to, &s); err != nil {
		return 0, fmt.Errorf("look at the room for the layer: %w", err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}
