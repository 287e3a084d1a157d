package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"dropcap"
)

// replaceFile puts other contents in the place of a file's: written beside it, synced, renamed, its
// folder synced, with its mode and owner. It does nothing where something else stands there now,
// and follows no link.
func replaceFile(f dropcap.File) (err error) {
	fail := func(err error) error {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot replace %s: %w", f.Path, Cause(err))
	}
	if f.Missing || f.Remove {
		if err := madeOrRemoved(f); err != nil {
			return fail(err)
		}
		return nil
	}
	info, err := matches(f)
	if err != nil {
		return fail(err)
	}
	folder := filepath.Dir(f.Path)
	t, err := os.CreateTemp(folder, ".dropcap-*")
	if err != nil {
		return fail(err)
	}
	defer func() {
		t.Close()
		if err != nil {
			os.Remove(t.Name())
		}
	}()
	if err := fill(t, f.Is, info); err != nil {
		return fail(err)
	}
	if _, err := matches(f); err != nil { // as late as can be
		return fail(err)
	}
	if err := os.Rename(t.Name(), f.Path); err != nil {
		return fail(err)
	}
	if err := syncFolder(folder); err != nil {
		return fail(err)
	}
	return nil
}

func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// madeOrRemoved makes a file where there is none, whole or not at all, or removes one.
func madeOrRemoved(f dropcap.File) error {
	folder := filepath.Dir(f.Path)
	if f.Remove {
		if _, err := matches(f); err != nil {
			return err
		}
		if err := os.Remove(f.Path); err != nil {
			return err
		}
		if err := syncFolder(folder); err != nil || !f.Folder {
			return err
		}
		_ = os.Remove(folder) // it was there before, or somebody uses it, unless it is empty
		return nil
	}
	if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	t, err := os.CreateTemp(folder, ".dropcap-*")
	if err != nil {
		return err
	}
	defer os.Remove(t.Name())
	defer t.Close()
	if _, err := t.Write(f.Is); err != nil {
		return err
	}
	if err := errors.Join(t.Chmod(0o644), t.Sync()); err != nil {
		return err
	}
	if err := os.Link(t.Name(), f.Path); err != nil { // which replaces nothing
		return err
	}
	return syncFolder(folder)
}

// matches reads the file and compares it with what must stand there.
func matches(f dropcap.File) (os.FileInfo, error) {
	old, info, err := openOwnerFile(f.Path)
	if err != nil {
		return nil, err
	}
	defer old.Close()
	was, err := io.ReadAll(io.LimitReader(old, int64(len(f.Was))+1))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(was, f.Was) {
		return nil, fmt.Errorf("somebody has changed it meanwhile")
	}
	return info, nil
}

// fill builds the new file whole, with the old one's mode and owner, and durable.
func fill(t *os.File, contents []byte, like os.FileInfo) error {
	if _, err := t.Write(contents); err != nil {
		return err
	}
	if s, ok := like.Sys().(*syscall.Stat_t); ok {
		if err := t.Chown(int(s.Uid), int(s.Gid)); err != nil {
			return err
		}
	}
	if err := t.Chmod(like.Mode().
		Perm() | like.Mode()&(os.ModeSetuid|os.ModeSetgid|os.ModeSticky)); err != nil {
		return err
	}
	return t.Sync()
}
