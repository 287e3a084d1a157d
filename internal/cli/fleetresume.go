package cli

import (
	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/flag"
	"dropcap/internal/fleet"
	"dropcap/internal/render"
)

func (a *app) fleetResume() *cobra.Command {
	f := &flag.Fleet{}
	out := &outputFlags{}
	cmd := &cobra.Command{
		Use:   "resume RUN",
		Short: "Go on with a run that its controller did not finish",
		Long: `Go on where a killed or interrupted controller stopped, or ask those hosts again of
which is not known what they did. Hosts that may have got their request are asked for its receipt
before anything is sent to them again; no host does a request twice.

A run that a gate stopped is looked at again: the soak, the probe and the audit. Hosts are reached
as before, and waited for as long, unless flags say otherwise; --format takes what the run's verb
takes.
` + fleetExitHelp,
		Example:           `  dropcap fleet resume 7be13c4f02aa`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRuns(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runFleetResume(cmd, args[0], f, out)
		},
	}
	f.Register(cmd.Flags(), fleetStore(), false)
	out.register(cmd, render.FleetFormats("audit"), "")
	cmd.Flags().Lookup("quiet").Usage = "of an audit, show node and container ids only"
	return cmd
}

func (a *app) runFleetResume(cmd *cobra.Command, id string, f *flag.Fleet, out *outputFlags) error {
	ctx := cmd.Context()
	run, err := remembered(ctx, f, cmd.Flags(), id, "")
	if err != nil {
		return err
	}
	out.known, out.usual = render.FleetFormats(run.Verb), render.FleetFormats(run.Verb)[0]
	targets, err := out.targets(checkFleet(run.Verb))
	if err != nil {
		return err
	}
	c, err := a.control(ctx, f)
	if err != nil {
		return err
	}
	defer c.close()
	unlock, err := c.store.LockRun(run.ID)
	if err != nil {
		return err
	}
	defer unlock()
	run, hosts, err := c.Ledger.Run(ctx, run.ID)
	if err != nil {
		return err
	}
	if err := c.reachable(run); err != nil {
		return err
	}
	run.Reach = c.Reach
	return c.changed(ctx, fleet.Reopen(run, hosts), hosts, targets, out)
}

// reachable checks that the credentials reach all places of a run.
func (c *control) reachable(run dropcap.FleetRun) error {
	for _, p := range run.Places {
		ok := false
		for _, known := range c.places {
			ok = ok || known.String() == p
		}
		if !ok {
			return usageError("give the --profile and --role-arn that reach it",
				"cannot reach %s with these credentials, and run %s has hosts there", p, run.ID)
		}
	}
	return nil
}
