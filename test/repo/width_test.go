package repo_test

import (
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// maxWidth is how many columns code, comments and docs may have; a tab is four.
const maxWidth = 100

func TestNothingIsTooWide(t *testing.T) {
	for _, s := range sources(t) {
		for _, v := range tooWide(s.path, string(s.text)) {
			t.Error(v)
		}
	}
	for _, path := range files(t) {
		text, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t), path))
		if os.IsNotExist(err) {
			continue // removed while we look, by someone at work
		}
		if err != nil {
			t.Fatal(err)
		}
		var wide []string
		switch {
		case strings.HasSuffix(path, ".md") && !strings.Contains(path, "/testdata/"):
			wide = proseTooWide(path, string(text))
		case isPlainCode(path):
			wide = plainTooWide(path, string(text))
		}
		for _, v := range wide {
			t.Error(v)
		}
	}
}

// isPlainCode reports whether a file is C, or a script that sets up the test hosts.
func isPlainCode(path string) bool {
	return slices.Contains([]string{".c", ".h"}, filepath.Ext(path)) ||
		strings.HasPrefix(filepath.ToSlash(path), "test/hosts/")
}

func columns(line string) int {
	n := 0
	for _, r := range line {
		if n++; r == '\t' {
			n += 3
		}
	}
	return n
}

// plainTooWide finds the lines of C or shell that are too wide. Nothing in it may be.
func plainTooWide(path, text string) []string {
	var out []string
	for i, line := range strings.Split(text, "\n") {
		if columns(line) > maxWidth {
			out = append(out, fmt.Sprintf("%s:%d: %d columns, and %d are the most",
				path, i+1, columns(line), maxWidth))
		}
	}
	return out
}

// preformatted are comments that are not prose: tables, examples and directives.
var preformatted = regexp.MustCompile(`^\s*//(\t|  |go:)`)

// tooWide finds the lines of a Go file that are too wide. What cannot be broken may be: an address,
// a raw string, a literal that takes most of the line, a preformatted comment.
func tooWide(path, text string) []string {
	var out []string
	may := unbreakable(text)
	for i, line := range strings.Split(text, "\n") {
		if columns(line) > maxWidth && !may[i+1] && !preformatted.MatchString(line) &&
			!strings.Contains(line, "://") {
			out = append(out, fmt.Sprintf("%s:%d: %d columns, and %d are the most",
				path, i+1, columns(line), maxWidth))
		}
	}
	return out
}

// unbreakable returns the lines that hold a part of a raw string, or a literal of 60 bytes or more.
func unbreakable(text string) map[int]bool {
	lines := map[int]bool{}
	file := token.NewFileSet().AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), func(token.Position, string) {}, 0)
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok != token.STRING || literal[0] != '`' && len(literal) < 60 {
			continue
		}
		for n := range strings.Count(literal, "\n") + 1 {
			lines[file.Line(pos)+n] = true
		}
	}
}

// proseTooWide finds the lines of a Markdown file that are too wide. Tables, code, headings, links
// and HTML cannot be broken.
func proseTooWide(path, text string) []string {
	var out []string
	fenced := false
	for i, line := range strings.Split(text, "\n") {
		plain := strings.TrimSpace(line)
		if strings.HasPrefix(plain, "```") {
			fenced = !fenced
		}
		if !fenced && len([]rune(line)) > maxWidth && !strings.HasPrefix(line, "    ") &&
			!strings.ContainsAny(plain[:1], "|#<![") && strings.Contains(plain[4:], " ") {
			out = append(out, fmt.Sprintf("%s:%d: %d columns, and %d are the most",
				path, i+1, len([]rune(line)), maxWidth))
		}
	}
	return out
}

func TestTheWidthRuleFindsWhatIsTooWide(t *testing.T) {
	wide := strings.Repeat("a", 95)
	for text, bad := range map[string]bool{
		"package p\n\n// " + wide + "\n":                         false,
		"package p\n\n// " + wide + " bbb\n":                     true,
		"package p\n\n//\t" + wide + " bbb\n":                    false,
		"package p\n\nvar " + wide + " = 1\n":                    true,
		"package p\n\nvar x = \"" + wide + "\"\n":                false,
		"package p\n\nvar x = \"a\" + \"b\" + " + wide + "\n":    true,
		"package p\n\nvar x = `\n" + wide + " " + wide + "\n`\n": false,
		"package p\n\n// https://example/" + wide + "\n":         false,
	} {
		if got := tooWide("a.go", text); len(got) > 0 != bad {
			t.Errorf("%q: %q, want a violation: %v", text, got, bad)
		}
	}
	for text, bad := range map[string]bool{
		wide + " and more\n":            true,
		"| " + wide + " | more |\n":     false,
		"```\n" + wide + " more\n```\n": false,
		"- " + wide + " more\n":         true,
	} {
		if got := proseTooWide("a.md", text); len(got) > 0 != bad {
			t.Errorf("%q: %q, want a violation: %v", text, got, bad)
		}
	}
}

func TestTheWidthRuleFindsCodeThatIsTooWide(t *testing.T) {
	wide := strings.Repeat("a", 95)
	for text, bad := range map[string]bool{
		"/* " + wide + " */\n":      true,
		"/* " + wide + "\n */\n":    false,
		"\t\tx = " + wide + ";\n":   true,
		"\t" + wide[:93] + " = 1\n": true,
		"\t" + wide[:92] + " = 1\n": false,
		"\"" + wide + " bbb\"\n":    true,
	} {
		if got := plainTooWide("a.c", text); len(got) > 0 != bad {
			t.Errorf("%q: %q, want a violation: %v", text, got, bad)
		}
	}
	for path, want := range map[string]bool{
		"a.c": true, "a/b.h": true, "test/hosts/provision.d/a": true,
		"a.o": false, "a.txt": false, "LICENSE": false,
	} {
		if got := isPlainCode(path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
