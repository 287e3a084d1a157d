package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a test that only records how it was ended.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Skipf(f string, a ...any)  { r.skipped = fmt.Sprintf(f, a...) }
func (r *recorder) Fatalf(f string, a ...any) { r.failed = fmt.Sprintf(f, a...) }

var unicorn = Requirement{"a unicorn", func() string { return "there are none" }, "wait"}
var here = Requirement{"air", func() string { return "" }, "breathe"}

func TestNeedSkipsLocallyAndFailsInCI(t *testing.T) {
	for _, tc := range []struct {
		ci, strict   string
		skips, fails bool
		requirements []Requirement
	}{
		{"", "", true, false, []Requirement{here, unicorn}},
		{"true", "", false, true, []Requirement{here, unicorn}},
		{"", "1", false, true, []Requirement{unicorn}},
		{"true", "1", false, false, []Requirement{here}},
	} {
		t.Setenv("CI", tc.ci)
		t.Setenv("DROPCAP_TEST_STRICT", tc.strict)
		r := &recorder{}
		Need(r, tc.requirements...)
		if (r.skipped != "") != tc.skips || (r.failed != "") != tc.fails {
			t.Errorf("CI=%q STRICT=%q: skipped %q, failed %q", tc.ci, tc.strict, r.skipped,
				r.failed)
		}
		if said := r.skipped + r.failed; said != "" && !strings.Contains(said,
			"a unicorn: there are none; wait") {
			t.Errorf("no reason and remedy in %q", said)
		}
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	var missing *MissingError
	if err := Check(here, unicorn); !errors.As(err, &missing) || missing.What.Name != "a unicorn" {
		t.Errorf("Check says %v", err)
	}
	if err := Check(here); err != nil {
		t.Errorf("Check of what is here says %v", err)
	}
}

func TestComponentIsHereOnceStamped(t *testing.T) {
	t.Setenv("DROPCAP_TEST_CACHE", t.TempDir())
	if Docker29.Missing() == "" {
		t.Error("an empty cache has docker29")
	}
	os.Mkdir(filepath.Join(Cache(), "docker29"), 0o755)
	os.WriteFile(filepath.Join(Cache(), "docker29", ".stamp"), nil, 0o644)
	if why := Docker29.Missing(); why != "" {
		t.Error(why)
	}
}

func TestRepoRootHasTheModule(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(RepoRoot(t), "go.mod"))
	if err != nil || !strings.HasPrefix(string(text), "module dropcap") {
		t.Errorf("%.40q, %v", text, err)
	}
}
