package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// Files are replaced for a node's scripts, and for nothing else on this machine.
func TestANodeSeesFilesOfItsOwn(t *testing.T) {
	testenv.Need(t, testenv.Root)
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	for _, name := range []string{"id", "its-id", "program"} {
		if err := os.WriteFile(file(name), []byte(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script := `cat id; PATH=$PWD; command -v program || echo " none"`
	run := func(start func(*exec.Cmd) error) string {
		var out strings.Builder
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.Dir, cmd.Stdout = folder, &out
		if err := start(cmd); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its output decides
		return out.String()
	}
	within := func(cmd *exec.Cmd) error {
		return onThread(func() error {
			if err := mountOver(map[string]string{file("id"): file("its-id"),
				file("program"): os.DevNull}); err != nil {
				return err
			}
			return cmd.Start()
		})
	}
	if got := run(within); got != "its-id none\n" {
		t.Errorf("a node sees %q", got)
	}
	if got := run((*exec.Cmd).Start); got != "id"+file("program")+"\n" {
		t.Errorf("this machine sees %q", got)
	}
}
