package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the released version; the linker sets it (-X dropcap/internal/cli.release=0.1.0).
var release = ""

// version is the released version, or "devel" with the revision that it was built from, where Go
// recorded it.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

func (a *app) version() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Print the version of dropcap, and what it was built with.\n" + exitHelp,
		Example: "  dropcap version\n  dropcap version --format json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			type doc struct {
				Schema  string `json:"schema"`
				Version string `json:"version"`
				Go      string `json:"go"`
				OS      string `json:"os"`
				Arch    string `json:"arch"`
			}
			d := doc{"dropcap.version/v1", version(), runtime.Version(), runtime.GOOS,
				runtime.GOARCH}
			switch format {
			case "json":
				return writeJSON(a.out, d)
			case "text":
				_, err := fmt.Fprintf(a.out, "dropcap %s (%s, %s/%s)\n", d.Version, d.Go, d.OS,
					d.Arch)
				return err
			default:
				return usageError("text or json", "cannot print the version as %q", format)
			}
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "output: text or json")
	completeDocument(cmd)
	return cmd
}

// completeDocument completes the --format of commands that print text or JSON.
func completeDocument(cmd *cobra.Command) {
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("format",
		cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
}

// architecture is what this binary was built for.
const architecture = runtime.GOARCH
