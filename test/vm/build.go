package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
)

var programs sync.Map // machine and package -> func() ([]byte, error)

// goProgram returns a static program of this repository, built once per test process; pkg is a path
// such as "./cmd/dropcap".
func goProgram(pkg, goarch string) ([]byte, error) {
	once, _ := programs.LoadOrStore(goarch+pkg, sync.OnceValues(func() ([]byte, error) {
		return build(pkg, goarch)
	}))
	return once.(func() ([]byte, error))()
}

func build(pkg, goarch string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "dropcap-vm-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "program")
	// By import path: tests run in their package's folder.
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, path.Join("dropcap", pkg))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+goarch)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	return os.ReadFile(out)
}
