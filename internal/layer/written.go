package layer

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// Written is an entry that a layer got, or that changed in it, since it was carried.
type Written struct {
	Path    string // in the layer
	Deleted bool   // it hides what the image has there
}

// Since returns what a layer, given as a folder of this host, holds beside what was carried into it
// from another one: at most so many entries. What was carried is known from Carried.Keep; where
// nobody kept that, whatever has stood still since before a time was. What was removed from it
// again is not told of.
func Since(ctx context.Context, folder, other string, when time.Time, most int) ([]Written, error) {
	before, err := kept(folder)
	if err != nil {
		return nil, err
	}
	c, err := Open(folder, other)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var list []Written
	enough := errors.New("that is enough")
	err = walk(ctx, c.from, func(e *entry) error {
		if e.path == "" || e.isFolder() && e.folder < 0 {
			return nil // a folder comes again when it is left
		}
		same, err := c.wasCarried(ctx, e, before, when)
		if same || errors.Is(err, errMoved) || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return err
		}
		list = append(list, Written{Path: e.path, Deleted: e.kind() == unix.S_IFCHR &&
			e.stat.Rdev == 0})
		if len(list) >= most {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return list, err
}

// wasCarried reports whether an entry is as it was carried: it has not been touched since, or the
// other layer has the same. A folder is touched by whatever comes and goes in it, so only the other
// layer tells.
func (c *Carrier) wasCarried(ctx context.Context, e *entry, before Carried,
	when time.Time) (bool, error) {
	switch {
	case e.isFolder():
	case before != nil && before[number(e.path, stampOf(&e.stat))]:
		return true, nil
	case before == nil && changedBefore(e, when):
		return true, nil
	}
	return c.has(ctx, e)
}

// changedBefore reports whether an entry has stood still since a time.
func changedBefore(e *entry, when time.Time) bool {
	return time.Unix(e.stat.Ctim.Unix()).Before(when.Add(-clockMargin))
}

// has reports whether the other layer has the same entry: owner, mode, attributes, and for all but
// folders time and contents too.
func (c *Carrier) has(ctx context.Context, e *entry) (bool, error) {
	there, err := beneath(c.to, e.path)
	if err != nil {
		return false, nil // it is not there, or something is in its way
	}
	defer unix.Close(there.parent)
	s, t := &e.stat, &there.stat
	if s.Mode != t.Mode || s.Uid != t.Uid || s.Gid != t.Gid {
		return false, nil
	}
	if !e.isFolder() && (s.Size != t.Size || s.Mtim != t.Mtim || s.Rdev != t.Rdev) {
		return false, nil
	}
	mine, err := attributes(e)
	if err != nil {
		return false, err
	}
	theirs, err := attributes(there)
	if err != nil || !maps.EqualFunc(mine, theirs, bytes.Equal) {
		return false, nil
	}
	switch e.kind() {
	case unix.S_IFREG:
		return sameContents(ctx, e, there)
	case unix.S_IFLNK:
		a, err := linkTarget(e)
		if err != nil {
			return false, err
		}
		b, err := linkTarget(there)
		return err == nil && a == b, nil
	}
	return true, nil
}

// beneath is the entry at a path of a layer. Close its parent.
func beneath(root int, name string) (*entry, error) {
	parent, err := openBeneath(root, path.Dir(name), unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	e := &entry{path: name, name: path.Base(name), parent: parent, folder: -1}
	if err := unix.Fstatat(parent, e.name, &e.stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		unix.Close(parent)
		return nil, err
	}
	return e, nil
}

// sameContents compares two regular files of the same size.
func sameContents(ctx context.Context, a, b *entry) (bool, error) {
	f, err := openFile(a)
	if err != nil {
		return false, err
	}
	defer f.Close()
	g, err := openFile(b)
	if err != nil {
		return false, nil
	}
	defer g.Close()
	mine, err := digest(ctx, f)
	if err != nil {
		return false, err
	}
	theirs, err := digest(ctx, g)
	return err == nil && mine.sum() == theirs.sum(), err
}
