// Package install builds dropcap's packages for tests, and reads their contents. Its tests check
// what packages must be.
package install

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// Full reports whether to run tests that take minutes.
func Full() bool { return os.Getenv("DROPCAP_TEST_FULL") != "" }

// Build runs packaging/build for one architecture, with additional variables, and returns the .deb
// and the .rpm.
func Build(tb testing.TB, arch string, env ...string) (deb, rpm string) {
	tb.Helper()
	testenv.Need(tb, testenv.Tool("git", "git"))
	dist := tb.TempDir()
	cmd := exec.Command(filepath.Join(testenv.RepoRoot(tb), "packaging/build"), arch)
	cmd.Env = append(append(os.Environ(), "DIST="+dist), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("packaging/build: %v\n%s", err, out)
	}
	return one(tb, dist, "*.deb"), one(tb, dist, "*.rpm")
}

func one(tb testing.TB, dir, pattern string) string {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		tb.Fatalf("%s in %s: %q, %v", pattern, dir, found, err)
	}
	return found[0]
}

// entry is a file or folder of a package.
type entry struct {
	tar.Header
	data []byte
}

// unpacked returns a .deb's files, by their absolute names.
func unpacked(tb testing.TB, deb string) map[string]entry {
	tb.Helper()
	testenv.Need(tb, testenv.Tool("dpkg-deb", "dpkg"))
	cmd := exec.Command("dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	files := map[string]entry{}
	for r := tar.NewReader(out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			tb.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			tb.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, ".")] = entry{*h, data}
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		tb.Fatalf("dpkg-deb: %v", err)
	}
	return files
}

// output runs a program and returns what it prints; the test fails if the program does.
func output(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		tb.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}
