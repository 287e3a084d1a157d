package store

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	lite "modernc.org/sqlite/lib"

	"dropcap"
)

// sentence turns an error of a store into one sentence and a remedy. It leaves an error that is a
// sentence already as it is.
func sentence(folder string, err error) error {
	var own *dropcap.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return dropcap.Errorf(dropcap.CodeInterrupt, "", "cannot finish with the store %s: %w",
			folder, err)
	}
	what, hint := kindOf(folder, err)
	if what == "" {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot use the store %s: %w", folder, err)
	}
	return &dropcap.Error{Code: dropcap.CodeError, Hint: hint, Message: "cannot use the store " +
		folder + ": " + what, Err: err}
}

const (
	hintFull     = "free some space; what was stored before is still there"
	hintReadOnly = "name a folder that can be written with --store"
)

// kindOf describes the errors that have a remedy.
func kindOf(folder string, err error) (what, hint string) {
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return "the disk is full", hintFull
	case errors.Is(err, syscall.EROFS):
		return "the file system is read-only", hintReadOnly
	case errors.Is(err, fs.ErrPermission):
		return "permission denied", "run as root, or name a folder of yours with --store"
	}
	var lerr *sqlite.Error
	if !errors.As(err, &lerr) {
		return "", ""
	}
	switch lerr.Code() & 0xff { // the upper bits are details
	case lite.SQLITE_FULL:
		return "the disk is full, or it has reached its limit of 1 GiB", hintFull
	case lite.SQLITE_READONLY:
		return "it is read-only", hintReadOnly
	case lite.SQLITE_CORRUPT, lite.SQLITE_NOTADB:
		return damaged(folder)
	case lite.SQLITE_BUSY, lite.SQLITE_LOCKED:
		return "another process has been writing to it for more than 10 s",
			"wait until that is done"
	case lite.SQLITE_CANTOPEN, lite.SQLITE_IOERR:
		return byFileSystem(folder)
	}
	return "", ""
}

func damaged(folder string) (what, hint string) {
	return "its file is damaged", "put a copy of " + filepath.Join(folder, fileName) +
		" in its place, or move it away: evidence can be learned again, but what was changed can " +
		"then not be backed out by dropcap"
}

// byFileSystem finds the cause where SQLite has lost the system's own error and only says that it
// could not open or write.
func byFileSystem(folder string) (what, hint string) {
	var st syscall.Statfs_t
	const readOnly = 1 // ST_RDONLY, statfs(2)
	switch err := syscall.Statfs(folder, &st); {
	case err != nil:
		return "", ""
	case st.Flags&readOnly != 0:
		return "the file system is read-only", hintReadOnly
	case st.Bavail == 0 || st.Files > 0 && st.Ffree == 0:
		return "the disk is full", hintFull
	}
	return "", ""
}
