package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/fleet"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

func (a *app) fleetPush() *cobra.Command {
	return a.look("receive", &cobra.Command{
		Use: "push", Short: "Bring evidence from the controller's store to hosts",
		Long: `Send the evidence of the named workloads, or all, to each host, where it counts as
that of another host: with its source named, and less than the host's own.
`,
		Example: `  dropcap fleet evidence push --targets tag:new=yes --workload compose:shop/web`,
	},
		func(cmd *cobra.Command, f *fleetLook) {
			cmd.Flags().StringArrayVar(&f.Workloads, "workload", nil,
				"only this workload; may be repeated")
		},
		func(ctx context.Context, c *control, f *fleetLook) error { return c.push(ctx, f) })
}

func (c *control) push(ctx context.Context, f *fleetLook) error {
	all, err := host.Stored(ctx, c.store, "")
	if err != nil {
		return err
	}
	const hint = "`dropcap fleet evidence --targets …` gets it from hosts that have learned"
	if len(f.Workloads) > 0 {
		var absent []string
		if all, absent = host.Choose(all, f.Workloads); len(absent) > 0 {
			return dropcap.Errorf(dropcap.CodeError, hint,
				"cannot push evidence of %s: there is none in %s", quoted(absent), c.store.Folder())
		}
	}
	if len(all) == 0 {
		return dropcap.Errorf(dropcap.CodeError, hint,
			"cannot push: there is no such evidence in %s", c.store.Folder())
	}
	raw, err := json.Marshal(dropcap.Evidence{Schema: dropcap.SchemaEvidence, Workloads: all})
	if err != nil {
		return err
	}
	targets, err := f.outputFlags.targets(checkFleet("receive"))
	if err != nil {
		return err
	}
	for _, part := range wire.Parts(raw) {
		args := wire.Words("receive", wire.Args{Part: part})
		run, hosts, err := c.start(ctx, &f.Fleet, dropcap.FleetRun{Verb: "receive",
			Args: args}, nil)
		if err != nil {
			return err
		}
		if f.PrintAWS {
			if err := c.printAWS(run, hosts); err != nil {
				return err
			}
			continue
		}
		if part.Number == part.Count {
			if run, hosts, err = c.finish(ctx, run, hosts, targets, &f.outputFlags); err != nil {
				return err
			}
			fmt.Fprintf(c.app.err, "%d of %s: the evidence of %s is there now\n",
				len(hosts)-len(fleet.ResultOf(run, hosts).Failures),
				printable.Count(len(hosts), "host"), printable.Count(len(all), "workload"))
			return nil
		}
		if run, hosts, err = c.Go(ctx, run, hosts, c.places); err != nil {
			return interrupted(ctx, run, err)
		}
		for _, x := range fleet.ResultOf(run, hosts).Failures {
			c.app.warn(fmt.Errorf("%s: %s", x.Host, x.Message))
		}
	}
	return nil
}
