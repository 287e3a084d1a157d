package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/flag"
	"dropcap/internal/render"
)

func (a *app) fleetList() *cobra.Command {
	f := &flag.Fleet{}
	out := &outputFlags{}
	var quick bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List managed nodes: online, platform, agent, Docker, dropcap",
		Long: `List the managed nodes that the targets mean, by the service's own word, and ask
those that are online which dropcap and which engine they run. Without --targets all are meant.
--quick asks the service only.
` + fleetExitHelp,
		Example: `  dropcap fleet ls --targets all
  dropcap fleet ls --targets tag:role=web --region eu-west-1 --region us-east-1
  dropcap fleet ls --targets all --quick --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runFleetList(cmd.Context(), f, out, quick)
		},
	}
	f.Register(cmd.Flags(), fleetStore(), true)
	out.register(cmd, render.FleetFormats("ls"), "table")
	noQuiet(cmd)
	cmd.Flags().BoolVar(&quick, "quick", false, "do not ask the nodes themselves")
	return cmd
}

func (a *app) runFleetList(ctx context.Context, f *flag.Fleet, out *outputFlags, quick bool) error {
	if len(f.Targets) == 0 {
		f.Targets = []string{"all"}
	}
	targets, err := out.targets(checkFleet("ls"))
	if err != nil {
		return err
	}
	c, err := a.control(ctx, f)
	if err != nil {
		return err
	}
	defer c.close()
	nodes, failures, err := c.find(ctx, f)
	if err != nil {
		return err
	}
	answers := map[string]dropcap.ReceiptHost{}
	if !quick {
		run, hosts, err := c.Start(ctx, dropcap.FleetRun{Verb: "hello", Targets: f.Targets}, nodes,
			nil)
		if err != nil {
			return err
		}
		if f.PrintAWS {
			return c.printAWS(run, hosts)
		}
		if run, hosts, err = c.Go(ctx, run, hosts, c.places); err != nil {
			return interrupted(ctx, run, err)
		}
		for _, h := range hosts {
			switch {
			case h.Failure != nil:
				failures = append(failures, *h.Failure)
			case h.Receipt != nil:
				answers[h.Host] = h.Receipt.Host
			}
		}
	}
	a.clearLine()
	if len(failures) > 0 {
		a.status = dropcap.ExitIncomplete
	}
	return a.print(targets, func(w io.Writer, format string, o render.Options) error {
		return render.FleetNodes(w, format, nodes, answers, failures, o)
	}, *out)
}
