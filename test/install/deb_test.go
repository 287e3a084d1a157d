package install

import (
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap/internal/cli"
	"dropcap/internal/policy"
	"dropcap/internal/testenv"
)

const epoch = "1764000000"

// built are packages around the program that all tests share: the rest is quick to build.
var built struct {
	once     sync.Once
	deb, rpm []byte
}

func packages(t *testing.T) (deb, rpm string) {
	t.Helper()
	binary := testenv.Binary(t)
	built.once.Do(func() {
		deb, rpm := Build(t, runtime.GOARCH, "BINARY="+binary, "VERSION=1.2.3",
			"SOURCE_DATE_EPOCH="+epoch)
		built.deb, built.rpm = read(t, deb), read(t, rpm)
	})
	if built.deb == nil || built.rpm == nil {
		t.Fatal("the packages could not be built")
	}
	dir := t.TempDir()
	deb, rpm = filepath.Join(dir, "dropcap.deb"), filepath.Join(dir, "dropcap.rpm")
	for path, data := range map[string][]byte{deb: built.deb, rpm: built.rpm} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return deb, rpm
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pages returns the manual's pages, one for each command meant for people.
func pages(t *testing.T) []string {
	t.Helper()
	root := cli.Commands()
	names := []string{}
	all := root.Commands()
	for len(all) > 0 {
		c := all[0]
		all = all[1:]
		if c.IsAvailableCommand() {
			names = append(names, strings.ReplaceAll(c.CommandPath(), " ", "-"))
			if c.Name() != "completion" {
				all = append(all, c.Commands()...)
			}
		}
	}
	if len(names) < 10 {
		t.Fatalf("%d commands only: %v", len(names), names)
	}
	return append(names, "dropcap")
}

// modes are the modes of all files that a package must contain, and of nothing else.
func modes(t *testing.T, zsh string) map[string]int64 {
	want := map[string]int64{
		"/usr/bin/dropcap": 0o755,
		"/usr/lib/systemd/system/dropcap-learn.service":     0o644,
		"/usr/lib/systemd/system/dropcap-watch.service":     0o644,
		"/usr/lib/systemd/system/dropcap-hold.service":      0o644,
		"/usr/lib/systemd/system/dropcap-harden.service":    0o644,
		"/usr/lib/systemd/system/dropcap-serve.service":     0o644,
		"/usr/lib/systemd/system/dropcap-serve.socket":      0o644,
		"/usr/share/doc/dropcap/dropcap.rules.yml":          0o644,
		"/usr/share/doc/dropcap/dropcap-grafana.json":       0o644,
		"/usr/lib/systemd/system/dropcap-recover.service":   0o644,
		"/usr/lib/systemd/system-preset/50-dropcap.preset":  0o644,
		"/usr/share/bash-completion/completions/dropcap":    0o644,
		"/usr/share/fish/vendor_completions.d/dropcap.fish": 0o644,
		"/usr/share/doc/dropcap/changelog.gz":               0o644,
		"/usr/share/doc/dropcap/third-party.gz":             0o644,
		"/etc/dropcap/":                                     0o755,
		"/etc/dropcap/policy.yaml":                          0o644,
		"/var/lib/dropcap/":                                 0o700,
		zsh:                                                 0o644,
	}
	for _, p := range pages(t) {
		want["/usr/share/man/man1/"+p+".1.gz"] = 0o644
	}
	return want
}

func TestDebHoldsWhatItShould(t *testing.T) {
	deb, _ := packages(t)
	files := unpacked(t, deb)
	want := modes(t, "/usr/share/zsh/vendor-completions/_dropcap")
	want["/usr/share/doc/dropcap/copyright"] = 0o644
	for name, mode := range want {
		if f, ok := files[name]; !ok || f.Mode != mode {
			t.Errorf("%s: there %v, mode %o, want %o", name, ok, f.Mode, mode)
		}
	}
	for name, f := range files {
		_, wanted := want[name]
		parent := strings.HasSuffix(name, "/") && f.Mode == 0o755 && slices.ContainsFunc(keys(want),
			func(w string) bool {
				return strings.HasPrefix(w, name)
			})
		if !wanted && !parent {
			t.Errorf("%s (mode %o) is in no list", name, f.Mode)
		}
		if f.Uid != 0 || f.Gid != 0 || f.Uname != "root" || f.Gname != "root" ||
			f.ModTime.UTC() != time.Unix(1764000000, 0).UTC() {
			t.Errorf("%s belongs to %s:%s (%d:%d) and is of %s", name, f.Uname, f.Gname, f.Uid,
				f.Gid, f.ModTime)
		}
	}
	if got := files["/usr/bin/dropcap"].data; !bytes.Equal(got, read(t, testenv.Binary(t))) {
		t.Error("/usr/bin/dropcap is another program")
	}
}

func keys(m map[string]int64) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	return list
}

func TestDebSaysWhatItIs(t *testing.T) {
	deb, _ := packages(t)
	for field, want := range map[string]string{
		"Package": "dropcap", "Version": "1.2.3", "Architecture": runtime.GOARCH,
		"Section": "admin", "Depends": "", "Pre-Depends": "",
	} {
		if got := strings.TrimSpace(output(t, "dpkg-deb", "--field", deb, field)); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	dir := t.TempDir()
	output(t, "dpkg-deb", "--control", deb, dir)
	if got := string(read(t, filepath.Join(dir,
		"conffiles"))); got != "/etc/dropcap/policy.yaml\n" {
		t.Errorf("conffiles: %q", got)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		text := string(read(t, filepath.Join(dir, script)))
		output(t, "sh", "-n", filepath.Join(dir, script))
		// Debian policy 6.1: errors must not pass unnoticed.
		if !strings.HasPrefix(text, "#!/bin/sh\n") || !strings.Contains(text, "\nset -e\n") {
			t.Errorf("%s begins with %.60q", script, text)
		}
	}
}

// The example policy changes nothing, and is a policy once its comment marks are removed.
func TestPolicyOfThePackageChangesNothing(t *testing.T) {
	deb, _ := packages(t)
	text := unpacked(t, deb)["/etc/dropcap/policy.yaml"].data
	got, err := policy.Parse("policy.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if want := policy.BuiltIn(); got.Level != want.Level || len(got.Keeps) != 0 ||
		len(got.Waivers) != 0 {
		t.Errorf("it demands %+v, want %+v", got, want)
	}
	shown := regexp.MustCompile(`(?m)^#(\S|  )`).ReplaceAll(text, []byte("$1"))
	if got, err = policy.Parse("shown.yaml", shown); err != nil || len(got.Keeps) != 1 ||
		len(got.Waivers) != 1 {
		t.Errorf("what it shows: %+v, %v", got, err)
	}
}

func unzip(t *testing.T, f entry) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(f.data))
	if err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	if !r.ModTime.IsZero() || r.Name != "" {
		t.Errorf("%s keeps the name %q and the time %s", f.Name, r.Name, r.ModTime)
	}
	return string(text)
}

func TestManualIsComplete(t *testing.T) {
	deb, _ := packages(t)
	files := unpacked(t, deb)
	for _, p := range pages(t) {
		text := unzip(t, files["/usr/share/man/man1/"+p+".1.gz"])
		for _, want := range []string{`.TH "` + strings.ToUpper(p) +
			`" "1" "Nov 2025" "dropcap 1.2.3"`, ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q: %.300s", p, want, text)
			}
		}
		if strings.Contains(strings.ToLower(text), "auto generated") {
			t.Errorf("%s says who formatted it", p)
		}
	}
}

// The licence of nearly every module requires its text to accompany the program.
func TestLicencesOfAllThatIsLinkedAreThere(t *testing.T) {
	deb, _ := packages(t)
	text := unzip(t, unpacked(t, deb)["/usr/share/doc/dropcap/third-party.gz"])
	info, err := buildinfo.ReadFile(testenv.Binary(t))
	if err != nil || len(info.Deps) < 10 {
		t.Fatalf("%v, %v", info, err)
	}
	for _, m := range info.Deps {
		head := "\n==== " + m.Path + " " + m.Version + "\n\n"
		if _, after, ok := strings.Cut(text, head); !ok || strings.HasPrefix(after, "====") {
			t.Errorf("no licence of %s %s", m.Path, m.Version)
		}
	}
	if !strings.Contains(text, "The Go Authors") {
		t.Error("no licence of Go")
	}
}
