package fleet

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap/internal/testenv"
)

// program is what stands for dropcap: it tells a version, and a history.
func program(version, history string) string {
	return "#!/bin/sh\ncase $1 in\nversion) echo 'dropcap " + version +
		" (go, linux)' ;;\nhistory) printf '" + history + "' ;;\nesac\n"
}

// box runs the scripts below a folder of its own.
type box struct {
	t            *testing.T
	prefix, path string
}

func newBox(t *testing.T) box {
	t.Helper()
	return box{t, t.TempDir(), os.Getenv("PATH")}
}

func (b box) run(lines []string) (string, error) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "script.sh")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", file)
	cmd.Env = []string{"PATH=" + b.path, "DROPCAP_PREFIX=" + b.prefix}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (b box) wants(lines []string, fails bool, words string) {
	b.t.Helper()
	out, err := b.run(lines)
	if (err != nil) != fails || !strings.Contains(out, words) {
		b.t.Errorf("%v, want %q:\n%s", err, words, out)
	}
	if left, _ := filepath.Glob(b.prefix + "/var/lib/dropcap-install*"); len(left) > 0 {
		b.t.Errorf("left behind: %v", left)
	}
	if left, _ := filepath.Glob(b.prefix + "/usr/local/bin/.*"); len(left) > 0 {
		b.t.Errorf("left behind: %v", left)
	}
}

func (b box) has(path, want string) {
	b.t.Helper()
	text, err := os.ReadFile(b.prefix + path)
	if string(text) != want || (err != nil) != (want == "") {
		b.t.Errorf("%s has %q, %v", path, text, err)
	}
}

// only leaves those programs in the path.
func (b *box) only(names ...string) {
	b.t.Helper()
	b.path = b.t.TempDir()
	for _, name := range append(names, "sh", "uname", "id", "sha256sum", "cut", "mkdir", "mktemp",
		"rm", "cat", "wc", "tr", "chmod", "cp", "mv", "head") {
		real := filepath.Join("/usr/bin", name) // rather than somebody's wrapper
		if _, err := os.Stat(real); err != nil {
			if real, err = exec.LookPath(name); err != nil {
				b.t.Fatal(err)
			}
		}
		if err := os.Symlink(real, filepath.Join(b.path, name)); err != nil {
			b.t.Fatal(err)
		}
	}
}

const target = "/usr/local/bin/dropcap"

// serve returns an address of the text; lies is what is really sent.
func serve(t *testing.T, text, lies string) Binary {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			http.Error(w, "expired", http.StatusForbidden)
			return
		}
		if r.URL.Path == "/cut" {
			w.Header().Set("Content-Length", fmt.Sprint(len(lies)))
			_, _ = w.Write([]byte(lies[:len(lies)/2]))
			return
		}
		_, _ = w.Write([]byte(lies))
	}))
	t.Cleanup(srv.Close)
	return Binary{URL: srv.URL + "/b?X=1&Y=a%2Fb",
		SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(text))), Size: int64(len(text))}
}

func lines(t *testing.T, version string, b Binary) []string {
	t.Helper()
	l, err := InstallLines(version, b, b)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAVersionIsInstalledOnceAndReplaced(t *testing.T) {
	for _, fetch := range []string{"curl", "wget", "python3"} {
		if _, err := exec.LookPath(fetch); err != nil {
			t.Logf("without %s", fetch)
			continue
		}
		b := newBox(t)
		b.only(fetch)
		one, two := program("1.0", ""), program("2.0", "")
		first := serve(t, one, one)
		b.wants(lines(t, "1.0", first), false, "version 1.0 is installed as ")
		b.has(target, one)
		b.wants(lines(t, "1.0", first), false, "version 1.0 is there already")
		b.wants(lines(t, "2.0", serve(t, two, two)), false, "version 2.0 is installed")
		b.has(target, two)
		if i, err := os.Stat(b.prefix + target); err != nil || i.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v %v", fetch, i, err)
		}
	}
}

func TestWhatIsNotAsToldIsNeverRunNorInstalled(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	good, evil := program("1.0", ""), "#!/bin/sh\necho >"+mark+" # "
	evil += strings.Repeat("x", len(program("1.0", ""))-len(evil)%len(good))
	b := newBox(t)
	old := program("0.9", "")
	b.wants(lines(t, "0.9", serve(t, old, old)), false, "installed")
	same := good[:len(good)-1] + " "
	b.wants(lines(t, "1.0", serve(t, good, same)), true, "its SHA-256 is not")
	b.wants(lines(t, "1.0", serve(t, good, evil)), true, "cannot ")
	b.wants(lines(t, "1.0", serve(t, good, "")), true, "cannot ")
	b.wants(lines(t, "1.1", serve(t, good, good)), true, "and not version 1.1")
	for _, path := range []string{"/gone", "/cut"} {
		at := serve(t, good, good)
		at.URL = strings.Replace(at.URL, "/b", path, 1)
		b.wants(lines(t, "1.0", at), true, "cannot ")
	}
	b.only()
	b.wants(lines(t, "1.0", serve(t, good, good)), true,
		"there is neither curl nor wget nor python3")
	b.has(target, old)
	if _, err := os.Stat(mark); err == nil {
		t.Error("what was not verified was run")
	}
}

func TestInstallOnAFullDisk(t *testing.T) {
	testenv.Need(t, testenv.Root)
	b := newBox(t)
	if err := unix.Mount("tmpfs", b.prefix, "tmpfs", 0, "size=64k,mode=0755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(b.prefix, unix.MNT_DETACH) })
	old := program("0.9", "")
	b.wants(lines(t, "0.9", serve(t, old, old)), false, "installed")
	big := program("1.0", "") + strings.Repeat("#", 100_000)
	b.wants(lines(t, "1.0", serve(t, big, big)), true, "cannot ")
	half := program("1.0", "") + strings.Repeat("#", 40_000) // fits once, and not twice
	b.wants(lines(t, "1.0", serve(t, half, half)), true, "is the disk full?")
	b.has(target, old)
}

func TestUninstallLeavesNothingButWhatIsYours(t *testing.T) {
	b := newBox(t)
	write := func(path, text string, mode os.FileMode) {
		if err := os.MkdirAll(filepath.Dir(b.prefix+path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(b.prefix+path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	policy, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t), "packaging/policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write("/var/lib/dropcap/store.db", "x", 0o600)
	write("/etc/dropcap/policy.yaml", string(policy)+"keep: []\n", 0o644)
	write("/etc/systemd/system/dropcap-recover.service", "[Unit]\n", 0o644)
	for _, state := range []string{"applied false", "backed-out false", "needs-person false",
		"checking false"} {
		write(target, program("1.0", `0123456789ab `+state+`\n`), 0o755)
		b.wants(UninstallLines(true, false), true, "1 changes are applied or retain a container")
	}
	write(target, "#!/bin/sh\nexit 1\n", 0o755)
	b.wants(UninstallLines(true, false), true, "history of changes cannot be read")
	write(target, program("1.0",
		`0123456789ab rolled-back false\n0123456789ab applied true\n0123456789ab backed-out true\n`), 0o755)
	b.wants(UninstallLines(false, false), false, "it has a policy of yours")
	b.has(target, "")
	b.has("/etc/systemd/system/dropcap-recover.service", "")
	b.has("/var/lib/dropcap/store.db", "x")
	write("/etc/dropcap/policy.yaml", string(policy), 0o644)
	write(target, program("1.0", `0123456789ab applied false\n`), 0o755)
	b.wants(UninstallLines(true, true), false, "removed "+b.prefix+"/var/lib/dropcap")
	for _, path := range []string{target, "/etc/dropcap", "/var/lib/dropcap"} {
		if _, err := os.Lstat(b.prefix + path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	b.wants(UninstallLines(true, false), false, "there was nothing to remove")
}
