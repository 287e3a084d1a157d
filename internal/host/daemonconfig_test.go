package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
)

func TestConfigFileOfADockerd(t *testing.T) {
	for line, want := range map[string]string{
		"dockerd -H fd://": defaultConfig + " ",
		"dockerd --config-file /a/b.json --live-restore":     "/a/b.json --live-restore",
		"dockerd --config-file=/c.json --live-restore=false": "/c.json --live-restore=false",
		"dockerd --config-file":                              defaultConfig + " ",
	} {
		file, flag := configFile(strings.Fields(line))
		if got := file + " " + flag; got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// A file that was not there is made whole, never over another one, and goes with its folder.
func TestAFileThatIsMadeAndRemoved(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "docker")
	f := dropcap.File{Path: filepath.Join(folder, "daemon.json"), Is: []byte("{}"), Missing: true}
	if err := replaceFile(f); err != nil {
		t.Fatal(err)
	}
	i, err := os.Stat(f.Path)
	if text, _ := os.ReadFile(f.Path); err != nil || string(text) != "{}" ||
		i.Mode().Perm() != 0o644 {
		t.Errorf("%v %q %v", err, text, i)
	}
	if err := replaceFile(f); err == nil {
		t.Error("it was made over another one")
	}
	if list, _ := os.ReadDir(folder); len(list) != 1 {
		t.Errorf("left over: %v", list)
	}
	gone := dropcap.File{Path: f.Path, Was: []byte("other"), Remove: true, Folder: true}
	if err := replaceFile(gone); err == nil {
		t.Error("another one was removed")
	}
	gone.Was = f.Is
	if err := replaceFile(gone); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}
