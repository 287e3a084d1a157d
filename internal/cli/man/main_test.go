package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Help is plain text: nothing in it may be taken for markup and vanish.
func TestHelpSurvivesTheFormatter(t *testing.T) {
	const text = "run <arguments> with *.json of __all__, a|b [or `c`], and # 3"
	cmd := &cobra.Command{Use: "dropcap", Short: text,
		Long:    text + ".\n\n  kept as it is\n\nExit status: 0 done; 1 error.",
		Example: "  dropcap <x> *"}
	cmd.Flags().String("name", "", text)
	root := &cobra.Command{Use: "root", Run: func(*cobra.Command, []string) {}}
	cmd.Run = root.Run
	root.AddCommand(cmd)
	prepare(root)
	var out bytes.Buffer
	date := time.Unix(0, 0).UTC()
	if err := doc.GenMan(cmd, &doc.GenManHeader{Section: "1", Date: &date}, &out); err != nil {
		t.Fatal(err)
	}
	page := strings.NewReplacer(`\-`, "-", `\&`, "", `\(aq`, "'", `\_`, "_").Replace(out.String())
	if n := strings.Count(page, text); n != 3 {
		t.Errorf("the text is there %d times, want 3:\n%s", n, page)
	}
	for _, want := range []string{".SH EXIT STATUS\n0 done; 1 error.", "kept as it is",
		"dropcap <x> *"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}

func TestWhatIsMissingIsAnError(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "")
	for _, args := range [][]string{nil, {t.TempDir(), "1"}} {
		if err := run(args); err == nil || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
