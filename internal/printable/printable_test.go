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
