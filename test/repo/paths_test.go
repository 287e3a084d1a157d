package repo_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// A page that sends its reader to a file that is gone is worse than none.
func TestThePagesForEngineersNameWhatIsThere(t *testing.T) {
	all := files(t)
	for _, page := range []string{"ARCHITECTURE.md", "CONTRIBUTING.md"} {
		for _, p := range namedPaths(readPage(t, page)) {
			at := func(f string) bool { return isAt(p, filepath.ToSlash(f)) }
			if !slices.ContainsFunc(all, at) {
				t.Errorf("%s names %s, which is not there", page, p)
			}
		}
	}
}

func TestEachRoomHasItsRow(t *testing.T) {
	rows := roomRows(readPage(t, "ARCHITECTURE.md"))
	entries, err := os.ReadDir(filepath.Join(testenv.RepoRoot(t), "internal"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = e.IsDir()
		if e.IsDir() && !slices.Contains(rows, e.Name()) {
			t.Errorf("internal/%s has no row in ARCHITECTURE.md", e.Name())
		}
	}
	for _, r := range rows {
		if !there[r] {
			t.Errorf("ARCHITECTURE.md has a row for internal/%s, which is not there", r)
		}
	}
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	codeBlock = regexp.MustCompile("(?ms)^```.*?^```$")
	quoted    = regexp.MustCompile("`([^`]+)`")
	// A path has a slash, and is not absolute: that is on a host. A file may stand alone.
	aPath = regexp.MustCompile(`^[\w.*-]+(/[\w.*-]+)*/?$`)
	aFile = regexp.MustCompile(`^[\w.*-]+\.(go|md|yml|mod|sum|sh)$`)
)

// namedPaths are the paths, and the files without one, that a page names in backticks.
func namedPaths(page string) []string {
	var out []string
	for _, m := range quoted.FindAllStringSubmatch(codeBlock.ReplaceAllString(page, ""), -1) {
		p := m[1]
		if aPath.MatchString(p) && (strings.Contains(p, "/") || aFile.MatchString(p)) {
			out = append(out, p)
		}
	}
	return out
}

// isAt reports whether a file is what a page names: itself, in that folder, or of that name.
func isAt(named, file string) bool {
	named = strings.TrimSuffix(named, "/")
	if !strings.Contains(named, "/") && aFile.MatchString(named) {
		file = path.Base(file)
	}
	for ; file != "."; file = path.Dir(file) {
		if ok, err := path.Match(named, file); ok && err == nil {
			return true
		}
	}
	return false
}

// roomRows are the rooms of internal/ that the table of rooms names in its first column.
func roomRows(page string) []string {
	var out []string
	for line := range strings.Lines(page) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if !strings.HasPrefix(line, "| `internal/") {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(first, -1) {
			room, _, _ := strings.Cut(strings.TrimPrefix(m[1], "internal/"), "/")
			out = append(out, room)
		}
	}
	return out
}

// The checks above must find what they look for.
func TestTheCheckOfPagesFindsEachPath(t *testing.T) {
	page := "See `a/b.go`, `error.go` and `a/*_test.go`; not `/etc/x`, `x.Y`, `go test ./...`.\n" +
		"```\n`c/d.go`\n```\n| `internal/audit` `plan` | x `y` |\n| `internal/lab/cloud` | z |\n"
	want := []string{"a/b.go", "error.go", "a/*_test.go", "internal/audit", "internal/lab/cloud"}
	if got := namedPaths(page); !slices.Equal(got, want) {
		t.Errorf("it names %q", got)
	}
	if got := roomRows(page); !slices.Equal(got, []string{"audit", "plan", "lab"}) {
		t.Errorf("its rooms are %q", got)
	}
	for _, c := range []struct {
		named, file string
		is          bool
	}{
		{"a/b.go", "a/b.go", true},
		{"a/b.go", "x/a/b.go", false},
		{"a/b.go", "a/b.go.txt", false},
		{"a/", "a/b/c.go", true},
		{"a/b", "a/b/c.go", true},
		{"a/b", "a/bc/d.go", false},
		{"b.go", "a/b.go", true},
		{"b.go", "a/bb.go", false},
		{"*.go", "doc.go", true},
		{"a/node*.go", "a/noderequest.go", true},
		{"a/node*.go", "a/b/node.go", false},
	} {
		if isAt(c.named, c.file) != c.is {
			t.Errorf("%s, named %s: want %v", c.file, c.named, c.is)
		}
	}
}
