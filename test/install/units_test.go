package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// Units run commands that the program has, and systemd finds no fault with them.
func TestUnitsAreRight(t *testing.T) {
	testenv.Need(t, testenv.Systemd)
	deb, _ := packages(t)
	root := t.TempDir()
	output(t, "dpkg-deb", "--extract", deb, root)
	for unit, command := range map[string]string{"dropcap-learn.service": "learn --service",
		"dropcap-watch.service":   "watch --quiet --journal $WATCH_ARGS",
		"dropcap-hold.service":    "hold --service",
		"dropcap-harden.service":  "harden --service",
		"dropcap-serve.service":   "serve",
		"dropcap-recover.service": "recover --wait 15s"} {
		file := filepath.Join(root, "usr/lib/systemd/system", unit)
		if text := string(read(t, file)); !strings.Contains(text, "\nExecStart=/usr/bin/dropcap "+
			command+"\n") {
			t.Errorf("%s does not run dropcap %s", unit, command)
		}
		help := append(strings.Fields(command), "--help")
		if out, err := exec.Command(testenv.Binary(t), help...).CombinedOutput(); err != nil ||
			!strings.Contains(string(out), "dropcap "+strings.Fields(command)[0]) {
			t.Errorf("dropcap %v: %v\n%s", help, err, out)
		}
		page := "dropcap-" + strings.Fields(command)[0]
		if !slices.Contains(pages(t), page) {
			t.Errorf("%s names the page %s, which there is not", unit, page)
		}
		verify(t, root, file)
	}
}

// verify has systemd check a unit. It looks for the unit's programs in a root that contains only
// the package.
func verify(t *testing.T, root, file string) {
	t.Helper()
	own := filepath.Join(t.TempDir(), filepath.Base(file))
	text := strings.ReplaceAll(string(read(t, file)), "/usr/bin/dropcap",
		filepath.Join(root, "usr/bin/dropcap"))
	if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze(), "verify", "--man=no", own).CombinedOutput()
	if err != nil || strings.Contains(string(out), filepath.Base(file)) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func analyze() string { return filepath.Join(testenv.Cache(), "systemd/analyze") }

// systemd 252's rating of each unit's exposure, from 0 to 10, has not grown since it was last
// considered; docs/install.md has the reasons for what is left. The units are those in the
// packages, as arm64's learn has one more capability.
func TestUnitsExposeNoMoreThanTheyNeed(t *testing.T) {
	testenv.Need(t, testenv.Systemd)
	overall := regexp.MustCompile(`Overall exposure level for \S+: (\d+\.\d) `)
	for arch, limits := range map[string]map[string]float64{
		"amd64": {"dropcap-watch.service": 3.0, "dropcap-hold.service": 2.3,
			"dropcap-harden.service": 4.3,
			"dropcap-serve.service":  1.3,
			"dropcap-learn.service":  2.1, "dropcap-recover.service": 2.8},
		"arm64": {"dropcap-watch.service": 3.3, "dropcap-hold.service": 2.3,
			"dropcap-harden.service": 4.3,
			"dropcap-serve.service":  1.3,
			"dropcap-learn.service":  2.4, "dropcap-recover.service": 2.8},
	} {
		dir := t.TempDir()
		output(t, filepath.Join(testenv.RepoRoot(t), "packaging/build"), "units", arch, dir)
		for unit, limit := range limits {
			out := output(t, analyze(), "security", "--offline=true", "--no-pager",
				filepath.Join(dir, unit))
			m := overall.FindStringSubmatch(out)
			if m == nil {
				t.Fatalf("%s on %s is not rated: %s", unit, arch, out)
			}
			if got, err := strconv.ParseFloat(m[1], 64); err != nil || got > limit {
				t.Errorf("%s on %s is exposed %s, want at most %.1f\n%s", unit, arch, m[1], limit,
					out)
			}
		}
	}
}
