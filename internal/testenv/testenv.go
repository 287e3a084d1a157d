// Package testenv checks what this host can do for tests, and implements the policy of skipping: a
// test that the host cannot run is skipped on a person's machine, with the reason and the remedy,
// and fails in CI (CI=true or DROPCAP_TEST_STRICT=1), where nothing may go untested unnoticed.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Requirement is something that a test needs. Missing returns "" if it is present, else the reason;
// Remedy says how to get it.
type Requirement struct {
	Name    string
	Missing func() string
	Remedy  string
}

// Need skips the test if something is missing; in CI it fails the test.
func Need(tb testing.TB, needs ...Requirement) {
	tb.Helper()
	for _, n := range needs {
		if why := n.Missing(); why != "" {
			refuse(tb, Strict(), n, why)
			return
		}
	}
}

func refuse(tb testing.TB, strict bool, n Requirement, why string) {
	tb.Helper()
	if strict {
		tb.Fatalf("needs %s: %s; %s (a failure, not a skip, because CI or DROPCAP_TEST_STRICT is "+
			"set)", n.Name, why, n.Remedy)
		return
	}
	tb.Skipf("needs %s: %s; %s", n.Name, why, n.Remedy)
}

// Check returns the first missing requirement as an error, for callers without a test (TestMain,
// demo); nil if nothing is missing.
func Check(needs ...Requirement) error {
	for _, n := range needs {
		if why := n.Missing(); why != "" {
			return &MissingError{What: n, Why: why}
		}
	}
	return nil
}

// MissingError names what this host lacks.
type MissingError struct {
	What Requirement
	Why  string
}

func (e *MissingError) Error() string {
	return "cannot use " + e.What.Name + ": " + e.Why + "; " + e.What.Remedy
}

// Skip ends the test as Need would for this error.
func (e *MissingError) Skip(tb testing.TB) {
	tb.Helper()
	refuse(tb, Strict(), e.What, e.Why)
}

// Strict reports whether a missing requirement is a failure.
func Strict() bool {
	return os.Getenv("CI") == "true" || os.Getenv("DROPCAP_TEST_STRICT") == "1"
}

// Cache returns the folder that test/hosts/provision fills.
func Cache() string {
	if dir := os.Getenv("DROPCAP_TEST_CACHE"); dir != "" {
		return dir
	}
	return "/var/cache/dropcap-test"
}

// RepoRoot returns the folder of go.mod above the test's working folder.
func RepoRoot(tb testing.TB) string {
	tb.Helper()
	root, err := repoRoot()
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

func repoRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", &os.PathError{Op: "find the repository of", Path: dir, Err: os.ErrNotExist}
		}
	}
}

// Binary returns the path of the dropcap program: DROPCAP_TEST_BINARY, or cmd/dropcap built once
// per test process.
func Binary(tb testing.TB) string {
	tb.Helper()
	path, err := binary()
	if err != nil {
		tb.Fatalf("cannot build dropcap: %v", err)
	}
	return path
}

var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("DROPCAP_TEST_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	root, err := repoRoot()
	if err != nil {
		return "", err
	}
	return build(root, "./cmd/dropcap")
})

// build puts a program into the cache of built test programs, under the user's cache folder: a
// fixed place, so that killed tests do not leave copies behind.
func build(root, pkg string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "dropcap-test-binaries")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	out := filepath.Join(dir, filepath.Base(pkg)+"-"+fingerprint(root))
	// Built aside and renamed, since another test process may be running the old one.
	fresh, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	cmd := exec.Command("go", "build", "-o", filepath.Join(fresh, "out"), pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{text: strings.TrimSpace(string(text)), err: err}
	}
	return out, os.Rename(filepath.Join(fresh, "out"), out)
}

type buildError struct {
	text string
	err  error
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.text }
func (e *buildError) Unwrap() error { return e.err }
