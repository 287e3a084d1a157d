package install

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// signed builds with a key created for this, and returns the folder of the packages and a keyring
// with the public half.
func signed(t *testing.T) (dist, keyring string) {
	t.Helper()
	testenv.Need(t, testenv.Tool("gpg", "gpg"), testenv.Tool("gpg-agent", "gpg-agent"))
	keyring = testenv.ShortFolder(t) // with the socket of gpg's agent
	t.Cleanup(func() { output(t, "gpgconf", "--homedir", keyring, "--kill", "all") })
	const passphrase = "not secret"
	gpg := []string{"--homedir", keyring, "--batch", "--quiet", "--pinentry-mode", "loopback",
		"--passphrase", passphrase}
	output(t, "gpg", append(gpg, "--quick-gen-key", "A Test <test@example.org>", "rsa3072",
		"sign")...)
	key := filepath.Join(t.TempDir(), "key.asc")
	output(t, "gpg", append(gpg, "--armor", "--output", key, "--export-secret-keys")...)
	deb, _ := Build(t, runtime.GOARCH, "BINARY="+testenv.Binary(t), "VERSION=1.2.3",
		"SOURCE_DATE_EPOCH="+epoch,
		"SIGNING_KEY="+key, "NFPM_PASSPHRASE="+passphrase)
	return filepath.Dir(deb), keyring
}

func TestWhatIsBuiltCanBeVerified(t *testing.T) {
	dist, keyring := signed(t)
	output(t, "gpg", "--homedir", keyring, "--verify", filepath.Join(dist, "SHA256SUMS.asc"),
		filepath.Join(dist, "SHA256SUMS"))
	listed := map[string]string{}
	for line := range strings.Lines(string(read(t, filepath.Join(dist, "SHA256SUMS")))) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		listed[name] = sum
	}
	err := filepath.Walk(dist, func(path string, info os.FileInfo, err error) error {
		name, _ := filepath.Rel(dist, path)
		if err != nil || info.IsDir() || strings.HasPrefix(name, "SHA256SUMS") {
			return err
		}
		if sum := sha256.Sum256(read(t, path)); listed[name] != hex.EncodeToString(sum[:]) {
			t.Errorf("SHA256SUMS has %q for %s, which has %x", listed[name], name, sum)
		}
		delete(listed, name)
		return nil
	})
	if err != nil || len(listed) > 0 {
		t.Errorf("listed, and not there: %v, %v", listed, err)
	}
	debIsSigned(t, one(t, dist, "*.deb"), keyring)
	if _, err := exec.LookPath("rpm"); err == nil {
		rpmIsSigned(t, one(t, dist, "*.rpm"), keyring)
	}
}

// debIsSigned verifies as debsig-verify does: a detached signature over the other members.
func debIsSigned(t *testing.T, deb, keyring string) {
	t.Helper()
	dir := t.TempDir()
	script :=
		`for m in debian-binary control.tar.gz data.tar.gz; do ar p "$1" $m; done >"$2/data"; ar p "$1" _gpgorigin >"$2/sig"`
	testenv.Need(t, testenv.Tool("ar", "binutils"))
	output(t, "sh", "-ec", script, "sh", deb, dir)
	output(t, "gpg", "--homedir", keyring, "--verify", filepath.Join(dir, "sig"),
		filepath.Join(dir, "data"))
}

func rpmIsSigned(t *testing.T, rpm, keyring string) {
	t.Helper()
	db, key := t.TempDir(), filepath.Join(t.TempDir(), "public.asc")
	output(t, "gpg", "--homedir", keyring, "--batch", "--armor", "--output", key, "--export")
	output(t, "rpm", "--dbpath", db, "--import", key)
	if out := output(t, "rpm", "--dbpath", db, "--checksig", rpm); !strings.Contains(out,
		"digests signatures OK") {
		t.Errorf("rpm --checksig: %s", out)
	}
}

func TestWithoutAKeyNothingIsSigned(t *testing.T) {
	deb, _ := packages(t)
	if members := output(t, "ar", "t", deb); strings.Contains(members, "_gpg") {
		t.Errorf("signed by whom? %s", members)
	}
	cmd := exec.Command(filepath.Join(testenv.RepoRoot(t), "packaging/build"), runtime.GOARCH)
	cmd.Env = append(os.Environ(), "DIST="+t.TempDir(), "VERSION=1.2.3", "SIGNING_KEY=/nowhere")
	if out, err := cmd.CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "cannot read the signing key") {
		t.Errorf("with a key that is not there: %v, %s", err, out)
	}
}

// The bill of materials names what the program was linked from, as the program itself reports, and
// the program by its hash.
func TestTheBillOfMaterialsIsTheProgramsOwn(t *testing.T) {
	program, file := testenv.Binary(t), filepath.Join(t.TempDir(), "bom.json")
	output(t, "go", "run", "dropcap/internal/cli/sbom", "1.2.3", program, file)
	var bom struct {
		BOMFormat, SpecVersion string
		Metadata               struct {
			Component struct {
				Name, Version string
				Hashes        []struct{ Content string }
			}
		}
		Components   []struct{ Name, Version, PURL string }
		Dependencies []struct{ DependsOn []string }
	}
	if err := json.Unmarshal(read(t, file), &bom); err != nil {
		t.Fatal(err)
	}
	sum, subject := sha256.Sum256(read(t, program)), bom.Metadata.Component
	if bom.BOMFormat != "CycloneDX" || subject.Name != "dropcap" || subject.Version != "1.2.3" ||
		len(subject.Hashes) != 1 || subject.Hashes[0].Content != hex.EncodeToString(sum[:]) {
		t.Errorf("it is of %+v", bom)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil || len(info.Deps) < 10 {
		t.Fatalf("%v, %v", info, err)
	}
	want := map[string]bool{"std@" + info.GoVersion: true}
	for _, m := range info.Deps {
		want[m.Path+"@"+m.Version] = true
	}
	for _, c := range bom.Components {
		if id := c.Name + "@" + c.Version; !want[id] ||
			!strings.HasPrefix(c.PURL, "pkg:golang/"+c.Name+"@") {
			t.Errorf("%s (%s) is not linked", id, c.PURL)
		}
	}
	if len(bom.Components) != len(want) || len(bom.Dependencies) != 1 ||
		len(bom.Dependencies[0].DependsOn) != len(want) {
		t.Errorf("%d components, want %d", len(bom.Components), len(want))
	}
	again := filepath.Join(t.TempDir(), "again.json")
	output(t, "go", "run", "dropcap/internal/cli/sbom", "1.2.3", program, again)
	if string(read(t, file)) != string(read(t, again)) {
		t.Error("the same program gives another bill")
	}
}
