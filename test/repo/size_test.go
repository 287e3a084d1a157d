package repo_test

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines     = 400
	maxFunctionLines = 60
)

func TestNothingGrowsTooLarge(t *testing.T) {
	for _, s := range sources(t) {
		for _, v := range tooLarge(s) {
			t.Error(v)
		}
	}
}

func TestSourcesAreFormatted(t *testing.T) {
	for _, s := range sources(t) {
		if out, err := format.Source(s.text); err != nil {
			t.Errorf("%s: %v", s.path, err)
		} else if string(out) != string(s.text) {
			t.Errorf("%s: run gofmt", s.path)
		}
	}
}

func TestOnlyMainEndsTheProgram(t *testing.T) {
	for _, s := range sources(t) {
		for _, v := range endings(s) {
			t.Error(v)
		}
	}
}

func TestOnlyTestenvSkips(t *testing.T) {
	for _, s := range sources(t) {
		for _, v := range skips(s) {
			t.Error(v)
		}
	}
}

func tooLarge(s source) []string {
	var out []string
	if n := strings.Count(string(s.text), "\n"); n > maxFileLines {
		out = append(out, fmt.Sprintf("%s: %d lines, and %d are the most; it is two things", s.path,
			n, maxFileLines))
	}
	if s.test() {
		return out
	}
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := s.line(f.End()) - s.line(f.Pos()) + 1; n > maxFunctionLines {
			out = append(out, fmt.Sprintf("%s:%d: %s has %d lines, and %d are the most", s.path,
				s.line(f.Pos()), f.Name.Name, n, maxFunctionLines))
		}
	}
	return out
}

// endings finds what ends the process or panics. The mains of cmd/dropcap and of the manual's
// generator may end it, as may programs that only tests start and the test foundations.
func endings(s source) []string {
	if s.test() || s.path == "cmd/dropcap/main.go" ||
		slices.Contains([]string{"internal/cli/man/main.go", "internal/cli/distributor/main.go",
			"internal/cli/sbom/main.go"}, s.path) || strings.HasPrefix(s.path, "test/") {
		return nil
	}
	for _, room := range []string{"testenv", "dockertest", "lab/cloud"} {
		if strings.HasPrefix(s.path, "internal/"+room+"/") {
			return nil
		}
	}
	var out []string
	s.calls(func(c *ast.CallExpr, receiver, name string) {
		fatal := receiver == "log" && (strings.HasPrefix(name, "Fatal") ||
			strings.HasPrefix(name, "Panic"))
		if receiver == "os" && name == "Exit" || receiver == "syscall" && name == "Exit" ||
			receiver == "" && name == "panic" || fatal {
			out = append(out, fmt.Sprintf("%s:%d: %s ends the program; return an error", s.path,
				s.line(c.Pos()), strings.TrimPrefix(receiver+"."+name, ".")))
		}
	})
	return out
}

// skips finds tests that skip by themselves: only testenv.Need may, so that nothing goes untested
// unnoticed in CI.
func skips(s source) []string {
	if strings.HasPrefix(s.path, "internal/testenv/") {
		return nil
	}
	var out []string
	s.calls(func(c *ast.CallExpr, receiver, name string) {
		tests := strings.HasSuffix(s.path, "_test.go") ||
			slices.Contains([]string{"t", "b", "tb", "f"}, receiver)
		if tests && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, name) {
			out = append(out, fmt.Sprintf("%s:%d: %s.%s; say what is needed by testenv.Need",
				s.path, s.line(c.Pos()), receiver, name))
		}
	})
	return out
}

// The checks above must find their violations.
func TestTheSourceChecksFindEachViolation(t *testing.T) {
	const long = "package p\n\nfunc f() {\n"
	const sleep = "package p\n\nimport \"time\"\n\nfunc f() {\n"
	for _, c := range []struct {
		name, path, text string
		check            func(source) []string
		bad              bool
	}{
		{"long function", "caps/a.go", long + strings.Repeat("\t_ = 1\n", 59) + "}\n", tooLarge,
			true},
		{"longest function", "caps/a.go", long + strings.Repeat("\t_ = 1\n", 58) + "}\n", tooLarge,
			false},
		{"long function of a test", "caps/a_test.go", long + strings.Repeat("\t_ = 1\n", 99) +
			"}\n", tooLarge, false},
		{"long file", "caps/a_test.go", "package p\n" + strings.Repeat("\n", 400), tooLarge, true},
		{"longest file", "caps/a.go", "package p\n" + strings.Repeat("\n", 399), tooLarge, false},
		{"exit", "internal/cli/a.go", "package p\nimport \"os\"\nfunc f() { os.Exit(1) }\n",
			endings, true},
		{"exit by another name", "internal/cli/a.go",
			"package p\nimport sys \"os\"\nfunc f() { sys.Exit(1) }\n", endings, true},
		{"exit in a literal", "internal/cli/a.go",
			"package p\nimport \"os\"\nvar f = func() { os.Exit(1) }\n", endings, true},
		{"fatal", "internal/cli/a.go", "package p\nimport \"log\"\nfunc f() { log.Fatalf(\"\") }\n",
			endings, true},
		{"panic", "internal/cli/a.go", "package p\nfunc f() { panic(1) }\n", endings, true},
		{"a method called panic", "internal/cli/a.go", "package p\nfunc f(x X) { x.panic(1) }\n",
			endings, false},
		{"main", "cmd/dropcap/main.go", "package main\nimport \"os\"\nfunc main() { os.Exit(1) }\n",
			endings, false},
		{"TestMain", "internal/cli/a_test.go",
			"package p\nimport \"os\"\nfunc f() { os.Exit(1) }\n", endings, false},
		{"skip", "internal/cli/a_test.go", "package p\nfunc f(t T) { t.Skipf(\"\") }\n", skips,
			true},
		{"skip through a field", "internal/cli/a_test.go",
			"package p\nfunc f(s S) { s.t.Skip() }\n", skips, true},
		{"skip of testenv", "internal/testenv/a.go", "package p\nfunc f(tb T) { tb.Skip() }\n",
			skips, false},
		{"sleep", "internal/cli/a_test.go", sleep + "\ttime.Sleep(1)\n}\n", sleeps, true},
		{"sleep until it is ready", "internal/cli/a_test.go",
			sleep + "\t// until it is ready\n\ttime.Sleep(1)\n}\n", sleeps, true},
		{"sleep of a loop", "internal/cli/a_test.go", sleep + "\tfor ; ; time.Sleep(1) {\n\t}\n}\n",
			sleeps, true},
		{"two sleeps", "internal/cli/a_test.go",
			sleep + "\t// Time is under test.\n\ttime.Sleep(1)\n\ttime.Sleep(2)\n}\n", sleeps,
			true},
		{"sleep with a reason", "internal/cli/a_test.go",
			sleep + "\t// Time is under test: so it is.\n\ttime.Sleep(1)\n}\n", sleeps, false},
		{"another Skip", "internal/cli/a.go", "package p\nfunc f(d D) { d.Skip() }\n", skips,
			false},
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, c.path, c.text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		s := source{path: c.path, text: []byte(c.text), file: file, fset: fset}
		if got := c.check(s); (len(got) > 0) != c.bad {
			t.Errorf("%s: found %q, want a violation: %v", c.name, got, c.bad)
		}
	}
}
