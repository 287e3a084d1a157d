package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RootFolder makes a folder in which nobody else can write, nor above it, as in /tmp anybody could.
// It goes with the test. Those of tests that were killed, which could not take theirs away, go
// first.
func RootFolder(t testing.TB) string {
	t.Helper()
	return folder(t, "/var/lib", "dropcap-test-")
}

// ShortFolder makes one for temporary files whose path leaves room for that of a socket, which may
// have 107 bytes (unix(7)): a test's own TempDir holds its name. It goes as RootFolder does, once
// whoever still writes there has ended.
func ShortFolder(t testing.TB) string {
	t.Helper()
	return folder(t, os.TempDir(), "dcf-")
}

func folder(t testing.TB, above, prefix string) string {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(above, prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range old {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		if pid, err := strconv.Atoi(owner); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(dir)
		}
	}
	dir, err := os.MkdirTemp(above, fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !Within(10*time.Second, func() bool { return os.RemoveAll(dir) == nil }) {
			t.Errorf("cannot remove %s: something still writes there", dir)
		}
	})
	return dir
}
