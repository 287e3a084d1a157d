package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/fleet"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/render"
	"dropcap/internal/wire"
)

func (a *app) fleetEvidence() *cobra.Command {
	cmd := a.look("evidence", "evidence",
		"Get what workloads were seen to need off the hosts, and keep it",
		`Get the evidence of each host, keep it in the controller's store (hosts are short-lived),
and show it merged per workload and revision, with dissent: how many of the recordings showed a
need. Workloads of compose, swarm and ECS are the same on every host; containers that merely share
a name are with --merge only. "dropcap fleet evidence push" brings it to hosts that have not
learned yet.
`, `  dropcap fleet evidence --targets tag:role=web
  dropcap fleet evidence --targets all --workload compose:shop/web --format json=evidence.json
  dropcap fleet evidence push --targets i-0123456789abcdef0 --workload compose:shop/web`,
		func(cmd *cobra.Command, f *fleetLookCommand) {
			cmd.Flags().StringArrayVar(&f.workloads, "workload", nil,
				"only this workload; may be repeated")
			cmd.Flags().BoolVar(&f.merge, "merge", false,
				"containers of the same name on several hosts are the same workload")
		},
		func(ctx context.Context, c *control, f *fleetLookCommand) error {
			return c.pull(ctx, f)
		})
	cmd.AddCommand(a.fleetPush())
	return cmd
}

// pull gets the hosts' evidence, shows it merged, and keeps it.
func (c *control) pull(ctx context.Context, f *fleetLookCommand) error {
	targets, err := f.outputFlags.targets(checkFleet("evidence"))
	if err != nil {
		return err
	}
	run, hosts, err := c.start(ctx, &f.fleetFlags, f.run("evidence"), nil)
	if err != nil {
		return err
	}
	if f.printAWS {
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
	merged, failures := fleet.MergeEvidence(doc, ids, f.merge)
	for _, x := range failures {
		c.app.warn(fmt.Errorf("%s: %s%s", x.Host, x.Message, asHint(x.Hint)))
		c.app.status = dropcap.Worst(c.app.status, dropcap.ExitIncomplete)
	}
	merged.Absent, _ = fleet.Nowhere(doc)
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
	return c.app.nowhere(doc)
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

func (a *app) fleetPush() *cobra.Command {
	return a.look("receive", "push", "Bring evidence from the controller's store to hosts",
		`Send the evidence of the named workloads, or all, to each host, where it counts as that of
another host: with its source named, and less than the host's own.
`, `  dropcap fleet evidence push --targets tag:new=yes --workload compose:shop/web`,
		func(cmd *cobra.Command, f *fleetLookCommand) {
			cmd.Flags().StringArrayVar(&f.workloads, "workload", nil,
				"only this workload; may be repeated")
		},
		func(ctx context.Context, c *control, f *fleetLookCommand) error { return c.push(ctx, f) })
}

func (c *control) push(ctx context.Context, f *fleetLookCommand) error {
	all, err := host.Stored(ctx, c.store, "")
	if err != nil {
		return err
	}
	const hint = "`dropcap fleet evidence --targets …` gets it from hosts that have learned"
	if len(f.workloads) > 0 {
		var absent []string
		if all, absent = host.Choose(all, f.workloads); len(absent) > 0 {
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
		run, hosts, err := c.start(ctx, &f.fleetFlags, dropcap.FleetRun{Verb: "receive",
			Args: args}, nil)
		if err != nil {
			return err
		}
		if f.printAWS {
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
