package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// RootFolder makes a folder in which nobody else can write, nor above it, as in /tmp anybody could. It goes with the test. Those of tests that were
// killed, which could not take theirs away, go first.
func RootFolder(t testing.TB) string {
	t.Helper()
	const above, prefix = "/var/lib", "dropcap-test-"
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
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
