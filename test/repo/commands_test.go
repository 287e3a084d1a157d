package repo_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// commandsFolder has one file for each command. What decides something belongs into internal/host
// or a verb; what several commands share, into cli.go, root.go or a folder of its own beneath.
const commandsFolder = "internal/cli"

// withoutCommand are the files of the shell itself.
var withoutCommand = []string{"cli.go", "root.go"}

func TestEachFileOfTheShellIsACommand(t *testing.T) {
	commands := 0
	for _, s := range sources(t) {
		if s.test() || path.Dir(s.path) != commandsFolder {
			continue
		}
		name := path.Base(s.path)
		switch {
		case definesCommand(s):
			commands++
		case !slices.Contains(withoutCommand, name):
			t.Error(notACommand(s.path))
		}
	}
	if commands < 10 {
		t.Errorf("%d files with commands only", commands)
	}
}

func notACommand(file string) string {
	return fmt.Sprintf("%s: it defines no command; what it decides belongs into internal/host or "+
		"a verb, "+
		"what commands share into cli.go, root.go or a folder beneath %s", file, commandsFolder)
}

// definesCommand reports whether a file makes a cobra.Command.
func definesCommand(s source) bool {
	cobra := ""
	for _, i := range s.file.Imports {
		if strings.Trim(i.Path.Value, `"`) == "github.com/spf13/cobra" {
			cobra = "cobra"
			if i.Name != nil {
				cobra = i.Name.Name
			}
		}
	}
	found := false
	ast.Inspect(s.file, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if of, ok := literal.Type.(*ast.SelectorExpr); ok {
			x, plain := of.X.(*ast.Ident)
			found = found || plain && cobra != "" && x.Name == cobra && of.Sel.Name == "Command"
		}
		return true
	})
	return found
}

func TestAFileWithoutACommandIsFound(t *testing.T) {
	const imports = "package cli\nimport \"github.com/spf13/cobra\"\n"
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"a command": {imports + "func f() any { return &cobra.Command{Use: \"x\"} }\n",
			true},
		"by another name": {"package cli\nimport c \"github.com/spf13/cobra\"\nvar x = " +
			"c.Command{}\n", true},
		"takes a command": {imports + "func f(*cobra.Command) {}\n", false},
		"something else":  {imports + "var g = cobra.Group{}\n", false},
		"another's Command": {"package cli\nimport cobra \"x/y\"\nvar x = cobra.Command{}\n",
			false},
		"nothing": {"package cli\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, "a.go", c.text, 0)
			if err != nil {
				t.Fatal(err)
			}
			got := definesCommand(source{path: "internal/cli/a.go", file: file, fset: fset})
			if got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
