package testenv_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"dropcap/internal/testenv"
)

func TestFoldersTakeAwayWhatTheKilledLeft(t *testing.T) {
	testenv.Need(t, testenv.Root)
	t.Setenv("TMPDIR", t.TempDir())
	for name, c := range map[string]struct {
		prefix string
		folder func(testing.TB) string
	}{
		"root":  {"/var/lib/dropcap-test-", testenv.RootFolder},
		"short": {os.TempDir() + "/dcf-", testenv.ShortFolder},
	} {
		t.Run(name, func(t *testing.T) { sweeps(t, c.prefix, c.folder) })
	}
}

func sweeps(t *testing.T, prefix string, folder func(testing.TB) string) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	left := prefix + strconv.Itoa(dead.Process.Pid) + "-1"
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(left) })
	var mine string
	t.Run("with a folder", func(t *testing.T) {
		mine = folder(t)
		if err := os.WriteFile(filepath.Join(mine, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		folder(t) // removes nothing of living tests
		if _, err := os.Stat(mine); err != nil {
			t.Error(err)
		}
	})
	for _, dir := range []string{left, mine} {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}
