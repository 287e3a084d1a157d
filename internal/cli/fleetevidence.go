package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/fleet"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/render"
)

func (a *app) fleetEvidence() *cobra.Command {
	cmd := a.look("evidence", &cobra.Command{
		Use: "evidence", Short: "Get what workloads were seen to need off the hosts, and keep it",
		Long: `Get the evidence of each host, keep it in the controller's store (hosts are
short-lived), and show it merged per workload and revision, with dissent: how many of the
recordings showed a need. Workloads of compose, swarm and ECS are the same on every host;
containers that merely share a name are with --merge only. "dropcap fleet evidence push" brings it
to hosts that have not learned yet.
`,
		Example: `  dropcap fleet evidence --targets tag:role=web
  dropcap fleet evidence --targets all --workload compose:shop/web --format json=evidence.json
  dropcap fleet evidence push --targets i-0123456789abcdef0 --workload compose:shop/web`,
	},
		func(cmd *cobra.Command, f *fleetLook) {
			cmd.Flags().StringArrayVar(&f.Workloads, "workload", nil,
				"only this workload; may be repeated")
			cmd.Flags().BoolVar(&f.Merge, "merge", false,
				"containers of the same name on several hosts are the same workload")
		},
		func(ctx context.Context, c *control, f *fleetLook) error {
			return c.pull(ctx, f)
		})
	cmd.AddCommand(a.fleetPush())
	return cmd
}

// pull fetches the hosts' evidence, shows it merged, and stores it.
func (c *control) pull(ctx context.Context, f *fleetLook) error {
	targets, err := f.outputFlags.targets(checkFleet("evidence"))
	if err != nil {
		return err
	}
	run, hosts, err := c.start(ctx, &f.Fleet, f.Run("evidence"), nil)
	if err != nil {
		return err
	}
	if f.PrintAWS {
		return c.printAWS(run, hosts)
	}
	if run, hosts, err = c.Go(ctx, run, hosts, c.places); err != nil {
		return interrupted(ctx, run, err)
	}
	c.app.clearLine()
	ids := map[string]string{}
	for _, h := range hosts {
		if h.Receipt != nil {
			ids[h.Host] = h.Receipt.Host.ID
		}
	}
	doc := fleet.ResultOf(run, hosts)
	merged, failures := fleet.MergeEvidence(doc, ids, f.Merge)
	for _, x := range failures {
		c.app.warn(fmt.Errorf("%s: %s%s", x.Host, x.Message, asHint(x.Hint)))
		c.app.status = dropcap.Worst(c.app.status, dropcap.ExitIncomplete)
	}
	merged.Missing, _ = fleet.Missing(doc)
	err = c.app.print(targets, func(w io.Writer, format string, o render.Options) error {
		if format == "json" {
			return render.JSON(w, merged)
		}
		return render.Evidence(w, merged, texts, o)
	}, f.outputFlags)
	if err != nil {
		return err
	}
	if err := c.keepEvidence(ctx, doc, ids); err != nil {
		return err
	}
	return c.app.missing(doc)
}

// keepEvidence keeps what hosts say of themselves, as `dropcap evidence import` does. Records of
// another host that answered too are left out.
func (c *control) keepEvidence(ctx context.Context, doc dropcap.Fleet,
	ids map[string]string) error {
	list, _ := fleet.OwnEvidence(doc, ids) // the failures were told with what is shown
	kept := 0
	for _, w := range list {
		if len(w.Sources) == 0 {
			continue
		}
		if err := (host.Keeper{Store: c.store, Host: w.Sources[0].Host.ID}).Keep(ctx,
			w); err != nil {
			return err
		}
		kept++
	}
	fmt.Fprintf(c.app.err, "kept in %s: evidence of %s from %s\n", c.store.Folder(),
		printable.Count(kept, "workload"), printable.Count(len(doc.Documents), "host"))
	return nil
}
