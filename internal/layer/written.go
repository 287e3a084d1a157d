package layer

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Written is an entry that a layer got after a time.
type Written struct {
	Path    string // in the layer
	Deleted bool   // it hides what the image has there
}

// Since returns what a layer, given as a folder of this host, holds beside what was carried into it
// from another one before a time: at most so many entries. What was removed from it again is not
// told of.
func Since(ctx context.Context, path, other string, when time.Time, most int) ([]Written, error) {
	c, err := Open(path, other)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var list []Written
	enough := errors.New("that is enough")
	err = walk(ctx, c.from, func(e *entry) error {
		if e.isFolder() && e.folder < 0 || e.path == "" || !e.isFolder() && changedBefore(e,
			when) || c.has(e) {
			return nil
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

// changedBefore reports whether an entry has stood still since a time.
func changedBefore(e *entry, when time.Time) bool {
	return time.Unix(e.stat.Ctim.Unix()).Before(when.Add(-clockMargin))
}

// has reports whether the other layer has the same entry, to all appearances; of folders, one of
// that name.
func (c *Carrier) has(e *entry) bool {
	fd, err := openBeneath(c.to, e.path, unix.O_NOFOLLOW)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	if e.isFolder() {
		return st.Mode&unix.S_IFMT == unix.S_IFDIR
	}
	s := &e.stat
	return s.Mode == st.Mode && s.Uid == st.Uid && s.Gid == st.Gid && s.Size == st.Size &&
		s.Mtim == st.Mtim && s.Rdev == st.Rdev
}
