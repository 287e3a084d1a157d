package file

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestASecretIsOnlyItsOwners(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if b, err := Secret(write("good", " s3cr3t\n", 0o400)); err != nil || string(b) != "s3cr3t" {
		t.Errorf("%q, %v", b, err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		write("group", "s3cr3t", 0o640):                     "others may read it",
		write("all", "s3cr3t", 0o604):                       "others may read it",
		write("long", strings.Repeat("s3cr3t", 999), 0o600): "longer than",
		filepath.Join(dir, "none"):                          "no such file",
		dir:                                                 "not a regular file",
		pipe:                                                "not a regular file",
	} {
		if _, err := Secret(path); err == nil || !strings.Contains(err.Error(), want) ||
			!strings.HasPrefix(err.Error(), "cannot take the secret from ") ||
			strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
