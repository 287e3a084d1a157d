package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Room measures the file system that a folder is on, or would be on. parent is the nearest existing
// folder; free is the number of bytes that this user may still write there.
func Room(folder string) (parent string, free uint64, readOnly bool, err error) {
	folder, err = filepath.Abs(folder)
	if err != nil {
		return "", 0, false, fmt.Errorf("measure the room for %s: %w", folder, err)
	}
	for ; ; folder = filepath.Dir(folder) {
		var st unix.Statfs_t
		err := unix.Statfs(folder, &st)
		if err == nil {
			return folder, available(st), st.Flags&unix.ST_RDONLY != 0, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || folder == "/" {
			return "", 0, false, fmt.Errorf("measure the room for %s: %w", folder, err)
		}
	}
}

func available(st unix.Statfs_t) uint64 {
	if unix.Geteuid() == 0 {
		return st.Bfree * uint64(st.Bsize)
	}
	return st.Bavail * uint64(st.Bsize)
}
