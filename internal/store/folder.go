package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"dropcap"
)

const hintFolder = "name another folder with --store, or make it yours alone: chown and chmod 0700"

// secure creates the folder if it is missing and returns its absolute path, with the links above it
// resolved. Whoever may write to a folder above it could replace it, so each of them must belong to
// root or to us, and not be writable by others unless it is sticky.
func secure(folder string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", dropcap.Errorf(dropcap.CodeError, "", "cannot use the store's folder: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", sentence(folder, err)
	}
	above, err := filepath.EvalSymlinks(filepath.Dir(folder))
	if err != nil {
		return "", sentence(folder, err)
	}
	for dir := above; ; dir = filepath.Dir(dir) {
		if err := trusted(dir, true); err != nil {
			return "", err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	folder = filepath.Join(above, filepath.Base(folder))
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", sentence(folder, err)
	}
	return folder, trusted(folder, false)
}

// trusted refuses a folder that somebody else could change.
func trusted(dir string, above bool) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return sentence(dir, err)
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return refuse("the folder %s: it is a link", dir)
	case !info.IsDir():
		return refuse("%s: it is not a folder", dir)
	case info.Mode().Perm()&0o022 != 0 && !(above && info.Mode()&fs.ModeSticky != 0):
		return refuse("the folder %s: other users may write it", dir)
	case !ours(info, above):
		return refuse("the folder %s: it belongs to another user", dir)
	}
	return nil
}

// ours reports whether a file belongs to this user, or to root where that is allowed.
func ours(info fs.FileInfo, orRoot bool) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(st.Uid) == os.Geteuid() || orRoot && st.Uid == 0)
}

func refuse(format, path string) error {
	return dropcap.Errorf(dropcap.CodeError, hintFolder, "cannot keep a store in "+format, path)
}

// secureFile creates the file if it is missing, before SQLite would with the process's umask. The
// journal beside it gets the same mode (SQLite os_unix.c, findCreateFileMode).
func secureFile(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	switch {
	case err == nil:
		f.Close()
		return sentence(filepath.Dir(file), syncFolder(filepath.Dir(file)))
	case !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.EROFS):
		return sentence(filepath.Dir(file), err)
	}
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return sentence(filepath.Dir(file), err)
	case !info.Mode().IsRegular():
		return refuse("%s: it is not a regular file", file)
	case !ours(info, false):
		return refuse("%s: it belongs to another user", file)
	case info.Mode().Perm()&0o077 == 0:
		return nil
	}
	return sentence(filepath.Dir(file), os.Chmod(file, 0o600))
}
