package install

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// rpm itself reads, installs, updates and erases the .rpm, in a root of its own.
func TestRPM(t *testing.T) {
	if !Full() {
		t.Log("only with DROPCAP_TEST_FULL: it needs the component rpm")
		return
	}
	testenv.Need(t, testenv.Root, testenv.Base, testenv.Tool("rpm", "rpm"))
	_, first := packages(t)
	t.Run("holds what it should", func(t *testing.T) { rpmHolds(t, first) })
	t.Run("holds the files of the .deb", func(t *testing.T) { rpmEqualsDeb(t, first) })
	t.Run("is installed, updated and erased", func(t *testing.T) { rpmLives(t, first) })
}

func rpmHolds(t *testing.T, file string) {
	if out := output(t, "rpm", "-K", "--nosignature", file); !strings.Contains(out, "digests OK") {
		t.Errorf("rpm -K: %s", out)
	}
	if got := output(t, "rpm", "-qp", "--qf",
		"%{NAME} %{VERSION}-%{RELEASE} %{LICENSE} %{BUILDHOST} %{BUILDTIME}",
		file); got != "dropcap 1.2.3-1 Apache-2.0 dropcap "+epoch {
		t.Errorf("it is %q", got)
	}
	want := modes(t, "/usr/share/zsh/site-functions/_dropcap")
	want["/usr/share/licenses/dropcap/LICENSE"] = 0o644
	want["/usr/share/licenses/dropcap/"] = 0o755
	want["/usr/share/doc/dropcap/"] = 0o755
	seen := 0
	const query = `[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILEMTIMES} %{FILEFLAGS} %{FILENAMES}\n]`
	for line := range strings.Lines(output(t, "rpm", "-qp", "--qf", query, file)) {
		f := strings.Fields(line)
		name, flags := f[5], "0"
		if f[0][0] == 'd' {
			name += "/"
		}
		if name == "/etc/dropcap/policy.yaml" {
			flags = "17" // RPMFILE_CONFIG | RPMFILE_NOREPLACE (rpm lib/rpmfiles.h)
		}
		mode, ok := want[name]
		if !ok || letters(mode) != f[0][1:] || f[1] != "root" || f[2] != "root" || f[3] != epoch ||
			f[4] != flags {
			t.Errorf("%s: in the list %v, mode %s, %q", name, ok, letters(mode), f)
		}
		seen++
	}
	if seen != len(want) {
		t.Errorf("it holds %d files and folders, want %d: %s", seen, len(want),
			output(t, "rpm", "-qlp", file))
	}
}

// letters formats a mode as ls does.
func letters(mode int64) string { return os.FileMode(mode).Perm().String()[1:] }

func rpmEqualsDeb(t *testing.T, file string) {
	dir := t.TempDir()
	output(t, "rpm", "--root", dir, "--nosignature", "--noscripts", "-i", file)
	deb, _ := packages(t)
	for name, f := range unpacked(t, deb) {
		if f.Mode&0o111 != 0 && strings.HasSuffix(name, "/") ||
			name == "/usr/share/doc/dropcap/copyright" {
			continue
		}
		there := strings.Replace(name, "zsh/vendor-completions", "zsh/site-functions", 1)
		if got := read(t, filepath.Join(dir, there)); string(got) != string(f.data) {
			t.Errorf("%s differs", name)
		}
	}
}

// rpmRoot is a root with a shell and a systemctl that records how it is called.
func rpmRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	busybox := read(t, filepath.Join(testenv.Cache(), "base/bin/busybox"))
	for path, text := range map[string]string{
		"bin/sh": string(busybox), "usr/bin/systemctl": "#!/bin/sh\necho \"$@\" >>/calls\n",
		"run/systemd/system/.keep": "", "dev/null": "",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func rpmLives(t *testing.T, first string) {
	_, second := Build(t, runtime.GOARCH, "BINARY="+testenv.Binary(t), "VERSION=1.3.0~rc1",
		"SOURCE_DATE_EPOCH="+epoch)
	root := rpmRoot(t)
	// what does an operation and returns how systemctl was called.
	what := func(args ...string) []string {
		t.Helper()
		os.Remove(filepath.Join(root, "calls"))
		if out := output(t, "rpm", append([]string{"--root", root, "--nosignature"},
			args...)...); strings.Contains(out, "scriptlet failed") {
			t.Errorf("rpm %v says %s", args, out)
		}
		calls, _ := os.ReadFile(filepath.Join(root, "calls"))
		return strings.Split(strings.TrimSpace(string(calls)), "\n")
	}
	same := func(step string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s calls systemctl %q, want %q", step, got, want)
		}
	}
	const chosen = "dropcap-learn.service dropcap-watch.service dropcap-hold.service dropcap-harden.service " +
		"dropcap-serve.socket"
	const units = "dropcap-recover.service " + chosen
	same("install", what("-i", first), "--no-reload preset "+units, "daemon-reload")
	// What the administrator wrote, and what was recorded, stays.
	own := filepath.Join(root, "etc/dropcap/policy.yaml")
	if err := os.WriteFile(own, []byte("level: least\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(root, "var/lib/dropcap/store.db")
	if err := os.WriteFile(store, []byte("evidence"), 0o600); err != nil {
		t.Fatal(err)
	}
	same("update", what("-U", second), "daemon-reload", "daemon-reload",
		"try-restart "+strings.Replace(chosen, ".socket", ".service", 1))
	if got := string(read(t, own)); got != "level: least\n" {
		t.Errorf("after the update the policy is %q", got)
	}
	same("erase", what("-e", "dropcap"),
		"--no-reload disable "+chosen+" dropcap-recover.service",
		"stop "+chosen+" dropcap-recover.service", "daemon-reload")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/dropcap")); err == nil {
		t.Error("the program is still there")
	}
	if got := string(read(t, store)); got != "evidence" {
		t.Errorf("the store is %q", got)
	}
	if got := string(read(t, own+".rpmsave")); got != "level: least\n" {
		t.Errorf("the policy is kept as %q", got)
	}
}
