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

func TestRootFolderTakesAwayWhatTheKilledLeft(t *testing.T) {
	testenv.Need(t, testenv.Root)
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	left := "/var/lib/dropcap-test-" + strconv.Itoa(dead.Process.Pid) + "-1"
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(left) })
	var mine string
	t.Run("with a folder", func(t *testing.T) {
		mine = testenv.RootFolder(t)
		if err := os.WriteFile(filepath.Join(mine, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		testenv.RootFolder(t) // takes away nothing of the living
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
