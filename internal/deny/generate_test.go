package deny

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"dropcap/internal/testenv"
)

// The committed objects match the sources, internal/bpf's among them: the same compiler, Debian
// 12's, produces the same bytes.
func TestWhatIsGeneratedIsCurrent(t *testing.T) {
	testenv.Need(t, testenv.Clang)
	for _, pattern := range []string{"programs/*", "../bpf/programs/*"} {
		list, _ := filepath.Glob(pattern)
		for _, path := range list {
			os.ReadFile(path) // tells go test that this test depends on them
		}
	}
	source, err := os.ReadFile("generate.go")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^//go:generate (go run \S+)(.*)$`).FindSubmatch(source)
	out := t.TempDir()
	cmd := exec.Command("sh", "-c", string(line[1])+` -output-dir "$0"`+string(line[2]), out)
	cmd.Env = append(os.Environ(), "GOPACKAGE=deny")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	fresh, _ := filepath.Glob(out + "/*")
	if len(fresh) != 4 { // objects and their Go files, for two machines
		t.Fatalf("%q", fresh)
	}
	for _, path := range fresh {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Base(path)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the sources give (%v): run make gen, and commit it",
				filepath.Base(path), err)
		}
	}
}
