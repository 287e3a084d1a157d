package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/printable"
)

func (a *app) fleetBackout() *cobra.Command {
	f := &fleetChangeCommand{}
	cmd := &cobra.Command{
		Use:   "backout RUN",
		Short: "Take back everything that a run of fleet apply changed",
		Long: `Ask every host that may have been changed by the run to back its changes out: the
very same old containers run again. A host that did nothing has nothing to take back. Done twice,
it changes nothing more. Hosts that fail keep it from no other; then the status is 1, or 5 if a
person is needed.
` + fleetExitHelp,
		Example: `  dropcap fleet backout 7be13c4f02aa
  dropcap fleet backout 7be13c4f02aa --yes --max-concurrency 10`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRuns(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runFleetBackout(cmd, args[0], f)
		},
	}
	f.register(cmd)
	cmd.Flags().Lookup("max-errors").Usage = "has no effect: a backout goes on, however many " +
		"hosts fail"
	return cmd
}

func (a *app) runFleetBackout(cmd *cobra.Command, id string, f *fleetChangeCommand) error {
	ctx := cmd.Context()
	c, of, targets, err := a.changeOf(cmd, id, "apply", f)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.reachable(of); err != nil {
		return err
	}
	unlock, err := c.store.LockRun(of.ID) // who applies still must end first
	if err != nil {
		return err
	}
	defer unlock()
	of, list, err := c.Ledger.Run(ctx, of.ID)
	if err != nil {
		return err
	}
	// whoever takes back wants to get as far as can be
	f.rules.MaxErrors = max(f.rules.MaxErrors, len(list))
	if !f.yes && !f.PrintAWS {
		if err := a.confirm(ctx, fmt.Sprintf("Back out what run %s changed on %s?", of.ID,
			printable.Count(len(list), "host"))); err != nil {
			return err
		}
	}
	if !sent(list) {
		fmt.Fprintln(a.err, "nothing to back out: no host was asked to change anything")
		return nil
	}
	if f.PrintAWS {
		run, hosts, err := c.StartBackout(ctx, of, list, c.places, f.rules)
		if err != nil {
			return err
		}
		return c.printAWS(run, hosts)
	}
	run, hosts, err := c.TakeBack(ctx, of, list, c.places, f.rules)
	if err != nil {
		return err
	}
	if run, hosts, err = c.finish(ctx, run, hosts, targets, &f.outputFlags); err != nil {
		return err
	}
	return c.takenBack(ctx, of.ID, run, hosts)
}

// takenBack notes what came of a backout, and is the error that stands for one that did not get
// everything back.
func (c *control) takenBack(ctx context.Context, of string, run dropcap.FleetRun,
	hosts []dropcap.FleetHost) error {
	was, err := c.TakenBack(ctx, of, run, hosts)
	if err != nil || was.State == dropcap.RunBackedOut {
		return err
	}
	code := dropcap.CodeError
	if c.app.status == dropcap.ExitPerson { // of the hosts' own, the worst
		code = dropcap.CodePerson
	}
	return dropcap.Errorf(code, "`dropcap fleet status "+run.ID+
		"` tells each host; `dropcap fleet backout "+of+"` tries again",
		"cannot back out all of run %s: %s", of, was.Because)
}
