// Command man writes the manual, a page for each command: man FOLDER VERSION. It is a program of
// its own so that dropcap does not carry what formats it. The pages' date is SOURCE_DATE_EPOCH.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"dropcap/internal/cli"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "man: error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("cannot write the manual: it takes a folder and a version")
	}
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("cannot date the manual: SOURCE_DATE_EPOCH: %w", err)
	}
	root := cli.Commands()
	prepare(root)
	// In UTC: cobra would read SOURCE_DATE_EPOCH in the zone at hand (doc/man_docs.go, fillHeader).
	date := time.Unix(seconds, 0).UTC()
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Date: &date, Source: "dropcap " +
		args[1], Manual: "dropcap"}, args[0])
}

// prepare makes Markdown, which the generator takes, of help texts, which are plain, through the
// whole tree.
func prepare(cmd *cobra.Command) {
	if cmd.Name() == "completion" {
		for _, shell := range cmd.Commands() {
			shell.Hidden = true // the packages bring the scripts
		}
	}
	cmd.Short, cmd.Long = plain.Replace(cmd.Short), markdown(cmd.Long)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Value.Type() != "string" {
			f.DefValue = strings.TrimSuffix(strings.TrimPrefix(f.DefValue, "["), "]")
		}
		if cmd.InheritedFlags().Lookup(f.Name) == nil {
			f.Usage = plain.Replace(f.Usage)
		}
	})
	for _, sub := range cmd.Commands() {
		prepare(sub)
	}
}

// plain keeps what Markdown would take for itself: <arguments> would vanish, and a * begin
// emphasis.
var plain = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", `\<`, ">", `\>`,
	"[", `\[`, "]", `\]`, "#", `\#`, "|", `\|`)

const exitStatus = "Exit status: "

// markdown returns the exit statuses a section of their own, and keeps indented lines as they are.
func markdown(long string) string {
	var out []string
	for line := range strings.Lines(long) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, exitStatus):
			out = append(out, "", "# EXIT STATUS",
				plain.Replace(strings.TrimPrefix(line, exitStatus)))
		case strings.HasPrefix(line, "  "):
			out = append(out, "\t"+line[2:])
		default:
			out = append(out, plain.Replace(line))
		}
	}
	return strings.Join(out, "\n")
}
