package trial

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/testenv"
	"dropcap/internal/verdict"
)

var update = flag.Bool("update", false, "write the table of limits to docs/trial.md")

// The marks between which docs/trial.md is generated.
const (
	tableBegin = "<!-- from the table: go test ./internal/trial -update -->\n"
	tableEnd   = "<!-- end of the table -->\n"
)

// table writes the limits for people.
func table() string {
	var b strings.Builder
	for _, general := range []bool{true, false} {
		b.WriteString(map[bool]string{true: "Of any capability:\n\n",
			false: "\nOf single ones:\n\n"}[general])
		for _, l := range verdict.Limits {
			if l.General() != general {
				continue
			}
			about := ""
			if !general {
				about = strings.ReplaceAll(l.Caps.Short(), ",", ", ") + ": "
			}
			if !l.Beside.Empty() {
				about += "beside " + l.Beside.Short() + ": "
			}
			fmt.Fprintf(&b, "- **%s**: %s%s. Source: %s.\n", l.Name, about, l.Because, l.Source)
		}
	}
	return b.String()
}

func TestTheDocumentHasTheTable(t *testing.T) {
	file := filepath.Join(testenv.RepoRoot(t), "docs", "trial.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks of the table", file)
	}
	want := before + tableBegin + testenv.WrapMarkdown(table()) + tableEnd + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("%s is not what the table says; run go test ./internal/trial -update", file)
	}
}
