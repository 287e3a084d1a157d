package repo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// source is a hand-written Go file.
type source struct {
	path string // from the repository's root, with slashes
	text []byte
	file *ast.File
	fset *token.FileSet
}

func (s source) test() bool            { return strings.HasSuffix(s.path, "_test.go") }
func (s source) line(at token.Pos) int { return s.fset.Position(at).Line }

// calls visits each call of a plain function (receiver "") or of X.name, where receiver is the
// imported package's own name or X.
func (s source) calls(visit func(c *ast.CallExpr, receiver, name string)) {
	real := map[string]string{}
	for _, i := range s.file.Imports {
		if i.Name != nil {
			real[i.Name.Name] = strings.Trim(i.Path.Value, `"`)
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch f := c.Fun.(type) {
		case *ast.Ident:
			visit(c, "", f.Name)
		case *ast.SelectorExpr:
			if x, ok := f.X.(*ast.Ident); ok {
				receiver := x.Name
				if path := real[receiver]; path != "" {
					receiver = path
				}
				visit(c, receiver, f.Sel.Name)
			} else {
				visit(c, "?", f.Sel.Name)
			}
		}
		return true
	})
}

// sources parses every Go file that is not generated.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	for _, path := range files(t) {
		if !strings.HasSuffix(path, ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t), path))
		if os.IsNotExist(err) {
			continue // somebody removed it meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, text,
			parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("cannot parse: %v", err)
			continue
		}
		if !ast.IsGenerated(file) {
			out = append(out, source{path: filepath.ToSlash(path), text: text, file: file,
				fset: fset})
		}
	}
	if len(out) < 20 {
		t.Fatalf("%d Go files only", len(out))
	}
	return out
}

// files lists the repository's files, without build outputs.
func files(t *testing.T) []string {
	t.Helper()
	base := testenv.RepoRoot(t)
	var out []string
	err := filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "bin", "dist"}, rel) {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			out = append(out, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
