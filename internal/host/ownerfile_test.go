package host

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
)

// Whatever somebody has put in the place of an owner's file, reading and replacing it end at once,
// and touch nothing else.
func TestOnlyRegularFilesOfOwnersAreOpened(t *testing.T) {
	for name, c := range map[string]struct {
		put  func(t *testing.T, path, elsewhere string) error
		says string
	}{
		"a pipe": {func(_ *testing.T, path, _ string) error {
			return unix.Mkfifo(path, 0o666)
		}, "a pipe"},
		"a link": {func(_ *testing.T, path, elsewhere string) error {
			return os.Symlink(elsewhere, path)
		}, "a link"},
		"a folder": {func(_ *testing.T, path, _ string) error {
			return os.Mkdir(path, 0o755)
		}, "a folder"},
		"a link to a device": {func(_ *testing.T, path, _ string) error {
			return os.Symlink("/dev/zero", path)
		}, "a link"},
		"a device": {func(t *testing.T, path, _ string) error {
			err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5)))
			if err == unix.EPERM {
				return os.Symlink("/dev/zero", path) // who is not root makes no device
			}
			return err
		}, "it is no regular file"},
		"a socket": {func(t *testing.T, path, _ string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		}, "a socket"},
		"a large file": {func(_ *testing.T, path, _ string) error {
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			defer f.Close()
			return f.Truncate(1 << 40)
		}, ""},
		"nothing": {func(*testing.T, string, string) error { return nil }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, elsewhere := filepath.Join(dir, "f"), filepath.Join(dir, "elsewhere")
			was := []byte("was")
			if err := os.WriteFile(elsewhere, was, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := c.put(t, path, elsewhere); err != nil {
				t.Fatal(err)
			}
			ended := make(chan [2]error, 1)
			go func() {
				_, read := ReadOwnerFile(path)
				ended <- [2]error{read,
					replaceFile(dropcap.File{Path: path, Was: was, Is: []byte("is")})}
			}()
			select {
			case errs := <-ended:
				for _, err := range errs {
					if err == nil || !strings.Contains(err.Error(), c.says) {
						t.Errorf("got %v", err)
					}
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it hangs")
			}
			if got, err := os.ReadFile(elsewhere); err != nil || !bytes.Equal(got, was) {
				t.Errorf("elsewhere stands %q, %v", got, err)
			}
			if list, _ := filepath.Glob(filepath.Join(dir, ".dropcap-*")); len(list) > 0 {
				t.Errorf("left behind: %v", list)
			}
		})
	}
}

func TestOnlyFoldersHaveEntries(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o666); err != nil {
		t.Fatal(err)
	}
	if HasEntries(pipe) || HasEntries(filepath.Join(dir, "none")) || !HasEntries(dir) ||
		HasEntries(t.TempDir()) {
		t.Error("a folder with an entry has entries, and nothing else has")
	}
}
