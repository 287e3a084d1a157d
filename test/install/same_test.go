package install

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"dropcap/internal/fleet"
	"dropcap/internal/testenv"
)

// The packaging around the program depends on neither clock, zone, language, umask nor the number
// of processors.
func TestPackagesAreTheSameAnywhere(t *testing.T) {
	deb, rpm := packages(t)
	otherDeb, otherRPM := Build(t, runtime.GOARCH, "BINARY="+testenv.Binary(t), "VERSION=1.2.3",
		"SOURCE_DATE_EPOCH="+epoch,
		"TZ=Pacific/Kiritimati", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=1", "TMPDIR="+t.TempDir(),
		"HOSTNAME=elsewhere")
	for a, b := range map[string]string{deb: otherDeb, rpm: otherRPM} {
		if !bytes.Equal(read(t, a), read(t, b)) {
			t.Errorf("%s differs", filepath.Base(b))
		}
	}
	// A package published by hand equals what `dropcap fleet install --distributor` publishes.
	p, err := fleet.NewPackage("1.2.3",
		map[string][]byte{runtime.GOARCH: read(t, testenv.Binary(t))})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(filepath.Dir(otherDeb), "distributor")
	if got := read(t, filepath.Join(folder, "manifest.json")); string(got) != p.Manifest {
		t.Errorf("the manifest differs: %s", got)
	}
	for name, data := range p.Files {
		if !bytes.Equal(read(t, filepath.Join(folder, name)), data) {
			t.Errorf("%s differs", name)
		}
	}
}

// The same commit produces the same bytes, program included, in whatever folder it is checked out,
// and for both architectures.
func TestSameCommitSameBytes(t *testing.T) {
	if !Full() {
		t.Log("only with DROPCAP_TEST_FULL: it builds everything twice")
		return
	}
	testenv.Need(t, testenv.Tool("git", "git"))
	var first map[string][]byte
	for _, umask := range []string{"022", "077"} {
		clone := filepath.Join(t.TempDir(), "checkout-"+umask)
		build := "umask " + umask + ` && git clone -q "$1" "$2" && cd "$2" && packaging/build`
		cmd := exec.Command("bash", "-c", build, "bash", testenv.RepoRoot(t), clone)
		cmd.Env = append(os.Environ(), "TZ=UTC-"+umask[1:])
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		found, err := filepath.Glob(filepath.Join(clone, "dist/*.*"))
		if err != nil || len(found) != 6 {
			t.Fatalf("built %q, %v", found, err)
		}
		attached, err := filepath.Glob(filepath.Join(clone, "dist/distributor/*"))
		if err != nil || len(attached) != 3 {
			t.Fatalf("built %q for Distributor, %v", attached, err)
		}
		found = append(append(found, attached...), filepath.Join(clone, "dist/SHA256SUMS"))
		now := map[string][]byte{}
		for _, path := range found {
			now[filepath.Base(path)] = read(t, path)
			if strings.Contains(path, "dirty") {
				t.Errorf("%s of a fresh checkout", filepath.Base(path))
			}
		}
		if first == nil {
			first = now
			continue
		}
		for name, data := range first {
			if !bytes.Equal(data, now[name]) {
				t.Errorf("%s differs between two checkouts of one commit", name)
			}
		}
	}
}

// A version from git's tags is valid for dpkg and rpm, and sorts chronologically.
func TestVersionsSortAsHistoryGoes(t *testing.T) {
	testenv.Need(t, testenv.Tool("git", "git"), testenv.Tool("dpkg", "dpkg"))
	repo := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git",
			append([]string{"-C", repo, "-c", "user.name=a", "-c", "user.email=a@example.org", "-c",
				"commit.gpgsign=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
			"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_CONFIG_GLOBAL=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	if err := os.MkdirAll(filepath.Join(repo, "packaging"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(repo, "packaging/build")
	if err := os.WriteFile(script, read(t, filepath.Join(testenv.RepoRoot(t), "packaging/build")),
		0o755); err != nil {
		t.Fatal(err)
	}
	version := func() string {
		t.Helper()
		return strings.TrimSpace(output(t, "env", "-u", "VERSION", script, "version"))
	}
	git("init", "-q")
	git("add", ".")
	var seen []string
	for _, step := range []struct{ tag, want string }{
		{"", "0.0.0~20260102030405.g"}, {"v0.9.0-rc1", "0.9.0~rc1"}, {"", "0.9.0~rc1+1.g"},
		{"v0.9.0", "0.9.0"}, {"", "0.9.0+1.g"}, {"v0.10.0", "0.10.0"},
	} {
		git("commit", "-q", "--allow-empty", "-m", "a")
		if step.tag != "" {
			git("tag", step.tag)
		}
		got := version()
		if step.tag != "" && got != step.want || !strings.HasPrefix(got, step.want) {
			t.Errorf("at %q: %q, want %q", step.tag, got, step.want)
		}
		seen = append(seen, got)
	}
	if err := os.WriteFile(script, append(read(t, script), '\n'), 0o755); err != nil {
		t.Fatal(err)
	}
	seen = append(seen, version())
	if !strings.HasSuffix(seen[len(seen)-1], "+dirty") {
		t.Errorf("with changes that are not committed: %q", seen[len(seen)-1])
	}
	for i := 1; i < len(seen); i++ {
		output(t, "dpkg", "--compare-versions", seen[i-1], "lt", seen[i])
		if _, err := exec.LookPath("rpm"); err == nil {
			compare := `%{lua:print(rpm.vercmp("` + seen[i-1] + `", "` + seen[i] + `"))}`
			if got := strings.TrimSpace(output(t, "rpm", "--eval", compare)); got != "-1" {
				t.Errorf("rpm does not sort %s before %s: %s", seen[i-1], seen[i], got)
			}
		}
	}
	if out, err := exec.Command("env", "VERSION=1.0-1", script, "version").
		CombinedOutput(); err == nil {
		t.Errorf("a version with a hyphen is taken: %s", out)
	}
}
