package fleet

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// unpacked is a package's zip for this machine, in a folder as the agent has it.
func unpacked(t *testing.T, version, program string) string {
	t.Helper()
	p, err := NewPackage(version, map[string][]byte{runtime.GOARCH: []byte(program)})
	if err != nil {
		t.Fatal(err)
	}
	data := p.Files["dropcap_"+PackageVersion(version)+"_"+runtime.GOARCH+".zip"]
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, f.Name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// does runs a package's script as the agent does.
func (b box) does(folder, script string, fails bool, words string, env ...string) {
	b.t.Helper()
	cmd := exec.Command("sh", script)
	cmd.Dir, cmd.Env = folder, append(env, "PATH="+b.path, "DROPCAP_PREFIX="+b.prefix)
	out, err := cmd.CombinedOutput()
	if (err != nil) != fails || !strings.Contains(string(out), words) {
		b.t.Errorf("%s: %v, want %q:\n%s", script, err, words, out)
	}
	if left, _ := filepath.Glob(b.prefix + "/var/lib/dropcap-install*"); len(left) > 0 {
		b.t.Errorf("left behind: %v", left)
	}
}

func TestAPackagesManifestHasWhatDistributorLooksFor(t *testing.T) {
	programs := map[string][]byte{"amd64": []byte("one"), "arm64": []byte("two")}
	p, err := NewPackage("1.2.3~rc1+4.gabc", programs)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		SchemaVersion, Version string
		Packages               map[string]map[string]map[string]struct{ File string }
		Files                  map[string]struct{ Checksums map[string]string }
	}
	if err := json.Unmarshal([]byte(p.Manifest), &m); err != nil || m.SchemaVersion != "2.0" ||
		m.Version != "1.2.3-rc1_4.gabc" || p.Version != m.Version {
		t.Fatalf("%+v, %v", m, err)
	}
	if len(m.Files) != 2 || len(p.Files) != 2 || len(p.Manifest) > 60<<10 {
		t.Errorf("%d files, %d listed, a manifest of %d bytes", len(p.Files), len(m.Files),
			len(p.Manifest))
	}
	for _, platform := range []string{"amazon", "ubuntu", "debian", "redhat"} {
		for arch, name := range map[string]string{"x86_64": "dropcap_1.2.3-rc1_4.gabc_amd64.zip",
			"arm64": "dropcap_1.2.3-rc1_4.gabc_arm64.zip"} {
			if got := m.Packages[platform]["_any"][arch].File; got != name ||
				m.Files[name].Checksums["sha256"] != digest(p.Files[name]) {
				t.Errorf("%s %s: %q", platform, arch, got)
			}
		}
	}
	again, err := NewPackage("1.2.3~rc1+4.gabc", programs)
	if err != nil || again.Manifest != p.Manifest { // which has the files' digests
		t.Errorf("the same programs give another package: %v", err)
	}
	for _, bad := range []struct {
		version string
		arch    string
	}{{"1.0'; reboot", "amd64"}, {"1.0", "riscv64"}} {
		if _, err := NewPackage(bad.version, map[string][]byte{bad.arch: []byte("x")}); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestAPackageInstallsAsTheAddressDoes(t *testing.T) {
	b := newBox(t)
	b.only() // nothing that could fetch
	one := unpacked(t, "1.0", program("1.0", ""))
	b.does(one, "validate.sh", true, "cannot find version 1.0")
	b.does(one, "install.sh", false, "version 1.0 is installed as ")
	b.has(target, program("1.0", ""))
	if i, err := os.Stat(b.prefix + target); err != nil || i.Mode().Perm() != 0o755 {
		t.Errorf("%v %v", i, err)
	}
	b.does(one, "validate.sh", false, "")
	b.does(one, "install.sh", false, "version 1.0 is there already")
	two := unpacked(t, "2.0", program("2.0", ""))
	b.does(two, "validate.sh", true, "cannot find version 2.0")
	b.does(two, "update.sh", false, "version 2.0 is installed")
	b.has(target, program("2.0", ""))
	b.does(one, "validate.sh", true, "cannot find version 1.0")

	if err := os.WriteFile(filepath.Join(one, "dropcap"), []byte(program("6.6.6", "")),
		0o600); err != nil {
		t.Fatal(err)
	}
	b.does(one, "install.sh", true, "cannot use what was downloaded")
	b.has(target, program("2.0", ""))
}

func TestAPackageIsNotTakenOffWhileAChangeCouldBeBackedOut(t *testing.T) {
	b := newBox(t)
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(b.prefix+path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(b.prefix+path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const unit, store = "/etc/systemd/system/dropcap-learn.service", "/var/lib/dropcap/store.db"
	folder := unpacked(t, "1.0", program("1.0", `0123456789ab applied false\n`))
	write(store, "x")
	write(unit, "[Unit]\n")
	b.does(folder, "install.sh", false, "installed")
	b.does(folder, "uninstall.sh", true, "1 changes are applied or retain a container")
	b.does(folder, "uninstall.sh", true, "1 changes are applied", "SSM_DROPCAP_PURGE=yes")
	b.does(folder, "uninstall.sh", true, "purge and force are yes or no",
		"SSM_DROPCAP_PURGE=yes; reboot")
	b.has(target, program("1.0", `0123456789ab applied false\n`))

	// Distributor itself, on the way to another version: units stay.
	folder = unpacked(t, "1.1", program("1.1", ""))
	b.does(folder, "install.sh", false, "installed")
	b.does(folder, "uninstall.sh", false, "removed")
	b.has(target, "")
	b.has(unit, "[Unit]\n")
	b.has(store, "x")

	b.does(folder, "install.sh", false, "installed")
	b.does(folder, "uninstall.sh", false, "removed", "SSM_DROPCAP_PURGE=no")
	b.has(target, "")
	b.has(unit, "")
	b.has(store, "x")
	b.does(folder, "uninstall.sh", false, "removed", "SSM_DROPCAP_PURGE=yes",
		"SSM_DROPCAP_FORCE=yes")
	b.has(store, "")
}
