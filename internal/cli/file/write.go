// Package file reads and writes the files that a command line names.
package file

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"dropcap"
	"dropcap/internal/host"
)

// Write writes a file of mode 0600 whole or not at all: to a temporary name beside it, synced,
// then renamed. A device or a pipe (/dev/stderr) is written as it is, also where a shell has put a
// file in its place.
func Write(path string, write func(io.Writer) error) error {
	return replace(path, 0o600, write)
}

// Publish is like Write for a file that all users may read.
func Publish(path string, write func(io.Writer) error) error {
	return replace(path, 0o644, write)
}

func replace(path string, mode os.FileMode, write func(io.Writer) error) (err error) {
	fail := func(err error) error {
		return dropcap.Errorf(dropcap.CodeError, "is there space, and may you write there?",
			"cannot write %s: %w", path, host.Cause(err))
	}
	if IsStream(path) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return fail(err)
		}
		err = write(f)
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return fail(host.Cause(err))
		}
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".dropcap-*") // mode 0600
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return fail(err)
	}
	if err := f.Chmod(mode); err != nil {
		return fail(err)
	}
	if err := f.Sync(); err != nil {
		return fail(err)
	}
	if err := f.Close(); err != nil {
		return fail(err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fail(err)
	}
	return nil
}

// IsStream reports what cannot be replaced by a file: devices, pipes, and the names of open files
// in /dev and /proc, which are links to whatever a shell redirected them to.
func IsStream(path string) bool {
	if i, err := os.Stat(path); err == nil && !i.Mode().IsRegular() && !i.IsDir() {
		return true
	}
	i, err := os.Lstat(path)
	abs, absErr := filepath.Abs(path)
	link := err == nil && absErr == nil && i.Mode()&os.ModeSymlink != 0
	dir := filepath.Dir(abs)
	return link && (dir == "/dev" || dir == "/dev/fd" || strings.HasPrefix(dir, "/proc/"))
}
