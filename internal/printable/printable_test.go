package printable

import (
	"strings"
	"testing"
)

func TestNothingMovesATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":              "plain",
		"two\nlines\r":       "two?lines?",
		"\x1b[31mred\x07":    "?[31mred?",
		"right\u202eto left": "right?to left",
		"tab\tnul\x00":       "tab?nul?",
		"日本 é":               "日本 é",
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestCutKeepsWholeCharacters(t *testing.T) {
	if got := Cut("日本語", 4); got != "日..." {
		t.Errorf("got %q", got)
	}
	if got := Cut("a\xffb", 10); got != "a?b" {
		t.Errorf("got %q", got)
	}
	if got := Cut(strings.Repeat("x", 10), 10); got != strings.Repeat("x", 10) {
		t.Errorf("got %q", got)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 hosts", 1: "1 host", 2: "2 hosts"} {
		if got := Count(n, "host"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestUnitsAreCountedAsServicesDo(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want string
	}{
		{" a\nb\t", 10, "a b"}, {"a\x1b\uFFFDb", 10, "a??b"}, {"😀😀", 4, "😀😀"}, {"😀😀", 3, "😀…"},
		{"abcdef", 4, "abc…"},
	} {
		if got := Units(c.in, c.most); got != c.want {
			t.Errorf("Units(%q, %d) is %q, want %q", c.in, c.most, got, c.want)
		}
	}
}
