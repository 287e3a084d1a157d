package repo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
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

// aName is a declaration of a package, or a method or field of one of its types.
var aName = regexp.MustCompile(`^([a-z]+)\.(\w+)(?:\.(\w+))?$`)

// The pages for engineers name functions as package.Function or package.Type.Method. Each must be
// there, or who follows them is lost.
func TestThePagesForEngineersNameDeclarationsThatAreThere(t *testing.T) {
	known := map[string]map[string]bool{}
	for _, s := range sources(t) {
		if !s.test() {
			declarations(s.file, known)
		}
	}
	page := readPage(t, "ARCHITECTURE.md")
	n := 0
	for _, m := range quoted.FindAllStringSubmatch(codeBlock.ReplaceAllString(page, ""), -1) {
		parts := aName.FindStringSubmatch(m[1])
		if parts == nil || known[parts[1]] == nil || aFile.MatchString(m[1]) {
			continue // of another package, or none
		}
		n++
		full := parts[2]
		if parts[3] != "" {
			full += "." + parts[3]
		}
		if !known[parts[1]][full] {
			t.Errorf("ARCHITECTURE.md names %s, which is not declared", m[1])
		}
	}
	if n < 20 {
		t.Errorf("only %d names were looked up", n)
	}
}

// declarations adds what a file declares, by package: "Take", "looker.one".
func declarations(file *ast.File, known map[string]map[string]bool) {
	in := known[file.Name.Name]
	if in == nil {
		in = map[string]bool{}
		known[file.Name.Name] = in
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			in[name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					in[spec.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range spec.Names {
						in[n.Name] = true
					}
				}
			}
		}
	}
}

func receiver(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func TestDeclarationsAreFound(t *testing.T) {
	const text = "package p\n\ntype T struct{}\n\nfunc (t *T) M() {}\n\nfunc F() {}\n\nconst C = " +
		"1\n"
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]map[string]bool{}
	declarations(file, known)
	want := []string{"C", "F", "T", "T.M"}
	if got := slices.Sorted(maps.Keys(known["p"])); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
