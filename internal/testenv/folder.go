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

// RootFolder creates a folder that nobody else can write to, nor to its parents, unlike /tmp. It is
// removed with the test. Folders left by killed tests are removed first.
func RootFolder(t testing.TB) string {
	t.Helper()
	return folder(t, "/var/lib", "dropcap-test-")
}

// ShortFolder creates a folder for temporary files with a short path. A socket's path may have only
// 107 bytes (unix(7)), and a test's TempDir contains its name. It is removed as RootFolder's is,
// once whoever still writes there has ended.
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
