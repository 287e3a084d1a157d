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
	"sync/atomic"
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
	// began is when the latest pass began. What has changed since may differ until the next one.
	began time.Time
	marks map[string]mark     // of the old layer's entries, by path, as the latest pass saw them
	known map[string]*content // by path in the layer, of regular files
	sums  [2]map[string]sum   // of each layer's entries, as the latest proof saw them
	// forgetful is set for a file system that does not tell of writes by mmap: tmpfs has no
	// page_mkwrite (mm/shmem.c, shmem_vm_ops), so that such a write leaves a file's times alone.
	forgetful bool
	spare     atomic.Int64 // how many bytes may still be written; see Pass
}

// content is what is known of a regular file that was copied.
type content struct {
	from    stamp    // of the old layer's file as its contents were read
	digests *digests // of its blocks
	read    bool     // the new layer's file was read back in this pass
	// of the new layer's file when it was last known to hold that; zero if never
	to stamp
}

// stamp tells whether a file may have been written since: any write changes its time of status
// change.
type stamp struct {
	inode   uint64
	size    int64
	changed int64 // nanoseconds
}

func stampOf(st *unix.Stat_t) stamp { return stamp{st.Ino, st.Size, st.Ctim.Nano()} }

// mark is a stamp, and whether whatever happens from then on is sure to give another one.
type mark struct {
	stamp
	settled bool
}

// clockMargin is how far the kernel's time stamps may lie behind the clock: they are taken from the
// last tick (ktime_get_coarse_real_ts64), of which there are at least 100 in a second.
const clockMargin = 100 * time.Millisecond

func markOf(st *unix.Stat_t, now time.Time) mark {
	return mark{stampOf(st), time.Unix(st.Ctim.Unix()).Before(now.Add(-clockMargin))}
}

// Open opens both layers, given as folders of this host. Close it.
func Open(from, to string) (*Carrier, error) {
	c := &Carrier{from: -1, to: -1, marks: map[string]mark{}, known: map[string]*content{}}
	for _, f := range []struct {
		path string
		into *int
	}{{from, &c.from}, {to, &c.to}} {
		fd, err := open(f.path)
		if err != nil {
			c.Close()
			return nil, err
		}
		*f.into = fd
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(c.from, &fs); err != nil {
		c.Close()
		return nil, fmt.Errorf("look at the file system of the layer: %w", err)
	}
	c.forgetful = fs.Type == unix.TMPFS_MAGIC
	return c, nil
}

func open(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open the layer %s: %w", path, err)
	}
	return fd, nil
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
func (c *Carrier) Measure(ctx context.Context) (Size, error) { return measure(ctx, c.from) }

func measure(ctx context.Context, root int) (Size, error) {
	var s Size
	seen := map[uint64]bool{} // of files with several names, which occupy their blocks once
	err := walk(ctx, root, func(e *entry) error {
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
func (c *Carrier) Room() (int64, error) { return room(c.to) }

func room(fd int) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(fd, &s); err != nil {
		return 0, fmt.Errorf("look at the room for the layer: %w", err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// Facts are what can be told of one layer before anything is carried.
type Facts struct {
	Size
	Room int64 // what may still be written to its file system, in bytes
	// Shares is set where files of the file system may be able to share their blocks, so that a
	// copy may need no room at all.
	Shares bool
}

// Look looks at a layer, given as a folder of this host, and changes nothing.
func Look(ctx context.Context, path string) (f Facts, err error) {
	fd, err := open(path)
	if err != nil {
		return f, err
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return f, fmt.Errorf("look at the file system of the layer: %w", err)
	}
	f.Room, f.Shares = int64(fs.Bavail)*fs.Bsize, fs.Type == unix.BTRFS_SUPER_MAGIC ||
		fs.Type == unix.XFS_SUPER_MAGIC
	f.Size, err = measure(ctx, fd)
	return f, err
}

// Sync brings to disk what was written to a layer's file system.
func Sync(path string) error {
	fd, err := open(path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Syncfs(fd); err != nil {
		return fmt.Errorf("write the layer to disk: %w", err)
	}
	return nil
}
