package repo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"dropcap/internal/testenv"
)

func TestNoFileHoldsWhatBelongsInNone(t *testing.T) {
	base := testenv.RepoRoot(t)
	here := machine(base)
	for _, path := range files(t) {
		text, err := os.ReadFile(filepath.Join(base, path))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range unwanted(path, text, here) {
			t.Error(v)
		}
	}
}

// machine returns the words that name this machine: the checkout's folder and the home, where they
// are specific enough, and the lines of DROPCAP_FORBIDDEN.
func machine(base string) []string {
	var words []string
	home, _ := os.UserHomeDir()
	for _, dir := range []string{base, filepath.Join(home, "go"), home} {
		if strings.Count(filepath.ToSlash(dir), "/") > 1 {
			words = append(words, dir)
		}
	}
	return append(words, strings.FieldsFunc(os.Getenv("DROPCAP_FORBIDDEN"), func(c rune) bool {
		return c == '\n'
	})...)
}

var (
	conflict = regexp.MustCompile(`(?m)^(<{7}|>{7}|\|{7}) `)
	// An unfinished note to oneself; \x20 keeps this line from finding itself.
	unfinished = regexp.MustCompile(`\b(FIXME|XXX|DO\x20NOT\x20COMMIT|not\x20implemented)\b`)
	// Characters that make source read differently from what it does (Trojan Source,
	// CVE-2021-42574).
	bidirectional = regexp.MustCompile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
)

// unwanted returns the unwanted words of one file. Binary files are searched for the machine's
// words only.
func unwanted(path string, text []byte, words []string) []string {
	var out []string
	for _, w := range words {
		if i := bytes.Index(text, []byte(w)); i >= 0 {
			out = append(out, fmt.Sprintf("%s:%d: names this machine: %q", path,
				1+bytes.Count(text[:i], []byte("\n")), w))
		}
	}
	if !utf8.Valid(text) || path == filepath.Join("test", "repo", "words_test.go") {
		return out
	}
	for what, re := range map[string]*regexp.Regexp{"a conflict": conflict,
		"unfinished": unfinished, "bidirectional control": bidirectional} {
		if at := re.FindIndex(text); at != nil {
			out = append(out, fmt.Sprintf("%s:%d: %s: %q", path,
				1+bytes.Count(text[:at[0]], []byte("\n")), what, text[at[0]:at[1]]))
		}
	}
	return out
}

func TestTheWordsAreFound(t *testing.T) {
	for _, c := range []struct {
		text string
		bad  bool
	}{
		{"plain\n", false},
		{"a\n<<<<<<< HEAD\n", true},
		{"a ======= b <<<<<<< c\n", false},
		{"// FIXME: later\n", true},
		{"AXXXB\n", false},
		{"if a { \u202e }\n", true},
		{"see /home/someone/checkout/x\n", true},
		{"see /home/someone/check\n", false},
		{"\xff\xfe /home/someone/checkout", true},
	} {
		got := unwanted("a.txt", []byte(c.text), []string{"/home/someone/checkout"})
		if (len(got) > 0) != c.bad {
			t.Errorf("%q: found %q, want %v", c.text, got, c.bad)
		}
	}
}

// Each direct dependency has a reason, and ARCHITECTURE.md states it.
func TestEachDirectDependencyHasAReason(t *testing.T) {
	base := testenv.RepoRoot(t)
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = base
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(base, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	missing, err := unreasoned(out, string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range missing {
		t.Errorf("ARCHITECTURE.md does not say why %s is needed", m)
	}
}

// unreasoned returns the direct dependencies of a go.mod (as JSON) that the text does not name.
func unreasoned(mod []byte, text string) ([]string, error) {
	var m struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(mod, &m); err != nil {
		return nil, err
	}
	var missing []string
	direct := 0
	for _, r := range m.Require {
		if r.Indirect {
			continue
		}
		direct++
		if !regexp.MustCompile(regexp.QuoteMeta(r.Path) + `($|[^\w/.-]|[.,]\s)`).MatchString(text) {
			missing = append(missing, r.Path)
		}
	}
	if direct == 0 {
		return nil, fmt.Errorf("go.mod has no direct dependency; run go mod tidy")
	}
	return missing, nil
}

func TestAnUnnamedDependencyIsFound(t *testing.T) {
	mod := []byte(
		`{"Require":[{"Path":"a.b/c"},{"Path":"a.b/d","Indirect":true},{"Path":"a.b/e"}]}`)
	got, err := unreasoned(mod, "we need `a.b/c/v2` and a.b/e.\n")
	if err != nil || len(got) != 1 || got[0] != "a.b/c" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := unreasoned([]byte(`{"Require":[{"Path":"a.b/d","Indirect":true}]}`),
		""); err == nil {
		t.Error("a go.mod without direct dependencies passes")
	}
}
