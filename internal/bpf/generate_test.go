package bpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// The committed objects match the sources: the same compiler, Debian 12's, produces the same bytes.
func TestWhatIsGeneratedIsCurrent(t *testing.T) {
	testenv.Need(t, testenv.Clang)
	out := t.TempDir()
	source, err := os.ReadFile("generate.go")
	if err != nil {
		t.Fatal(err)
	}
	programs, _ := filepath.Glob("programs/*")
	for _, path := range programs {
		os.ReadFile(path) // tells go test that this test depends on them
	}
	for line := range strings.Lines(string(source)) {
		if command, ok := strings.CutPrefix(line, "//go:generate "); ok {
			generate(t, strings.TrimSpace(command), out)
		}
	}
	fresh, err := filepath.Glob(out + "/*")
	if err != nil || len(fresh) != 6 { // objects, their Go files and tables, for two machines
		t.Fatalf("%q, %v", fresh, err)
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

// generate runs one command as go generate does, with another output folder.
func generate(t *testing.T, command, out string) {
	t.Helper()
	var quote bool
	argv := strings.FieldsFunc(command, func(r rune) bool {
		quote = quote != (r == '"')
		return r == '"' || r == ' ' && !quote
	})
	if argv[0] == "go" {
		argv = append(argv[:3:3], append([]string{"-output-dir", out}, argv[3:]...)...)
	} else {
		argv = append(argv, out)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "GOPACKAGE=bpf")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, text)
	}
}
