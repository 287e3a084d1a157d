package plan_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whoever is refused looks the slug up, so docs/refusals.md has each that there is.
func TestEachRefusalIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/refusals.md")
	if err != nil {
		t.Fatal(err)
	}
	patterns := map[string]*regexp.Regexp{
		"../recreate/*.go":      regexp.MustCompile(`Refusal\{\{"([a-z-]+)"|\{"(layer-[a-z]+)", `),
		"../recreate/refuse.go": regexp.MustCompile(`(?m)^\t\{"([a-z-]+)", (?:true|false), `),
		"*.go": regexp.MustCompile(
			`Refusal\{(?:Slug: )?"([a-z-]+)"|= "(no-evidence|low-confidence|untried)"`),
		"../source/*.go": regexp.MustCompile(`cannot\("([a-z-]+)"`),
		"../host/*.go": regexp.MustCompile(
			`slug :?= "([a-z-]+)"|Refusal\{Slug: "([a-z-]+)"`),
	}
	for glob, slug := range patterns {
		files, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil || strings.HasSuffix(f, "_test.go") {
				continue
			}
			for _, m := range slug.FindAllStringSubmatch(string(text), -1) {
				n++
				if word := strings.Join(m[1:], ""); !strings.Contains(string(page), "`"+word+"`") {
					t.Errorf("docs/refusals.md does not explain %s, of %s", word, f)
				}
			}
		}
		if n < 2 {
			t.Errorf("%s: %d refusals found: they are written in another way now", glob, n)
		}
	}
}
