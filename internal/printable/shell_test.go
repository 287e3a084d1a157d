package printable

import (
	"os/exec"
	"strings"
	"testing"
)

func TestAShellReadsTheWordAsItIs(t *testing.T) {
	for in, want := range map[string]string{
		"web":               "web",
		"registry:5/a@b+c%": "registry:5/a@b+c%",
		"":                  "''",
		"a b":               "'a b'",
		"x'; rm -rf /":      `'x'\''; rm -rf /'`,
		"$(id)`id`":         "'$(id)`id`'",
		"~":                 "'~'",
		"é":                 "'é'",
		"\x1b[2J\n":         "'?[2J?'",
	} {
		got := Shell(in)
		if got != want {
			t.Errorf("Shell(%q) is %s, want %s", in, got, want)
		}
		out, err := exec.Command("sh", "-c", "printf %s "+got).Output()
		if err != nil || string(out) != Line(in) {
			t.Errorf("a shell makes %q of %s, %v", out, got, err)
		}
	}
	if got := Shell(strings.Repeat("é", 5000)); len(got) > 4200 {
		t.Errorf("%d bytes are shown", len(got))
	}
}
