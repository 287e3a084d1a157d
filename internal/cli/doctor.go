package cli

import (
	"context"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/render"
)

func (a *app) doctor() *cobra.Command {
	var format, store string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what dropcap can and cannot do on this host",
		Long: `Check what dropcap stands on: the engine and the permission to talk to it, whether
/proc shows the containers' processes, cgroups, BTF, which eBPF hooks load, security modules,
live-restore, room for the store. What is missing comes with its remedy. The status is 6 if audit
cannot work here.
` + exitHelp,
		Example: "  dropcap doctor\n  dropcap --host ssh://host doctor\n  dropcap doctor " +
			"--format json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usageError("text or json", "cannot report in the format %q", format)
			}
			return a.runDoctor(cmd.Context(), format, store)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "output: text or json")
	cmd.Flags().StringVar(&store, "store", defaultStore(), "the folder of the store")
	return cmd
}

func (a *app) runDoctor(ctx context.Context, format, store string) error {
	report, err := a.host(store).Doctor(ctx)
	if err != nil {
		return err
	}
	if report.Blocks("audit") {
		a.status = dropcap.ExitHost
	}
	if format == "json" {
		return writeJSON(a.out, report)
	}
	return render.Report(a.out, report, a.options(outputFlags{}))
}
