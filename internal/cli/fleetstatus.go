package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/render"
	"dropcap/internal/store"
	"dropcap/internal/wire"
)

// findRun picks a run by its id or a beginning of at least four digits; verb is the one that it
// must be of, empty: any.
func findRun(ctx context.Context, s *store.Store, id,
	verb string) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	runs, err := s.Runs(ctx)
	if err != nil {
		return dropcap.FleetRun{}, nil, err
	}
	var found []dropcap.FleetRun
	for _, r := range runs {
		if r.ID == id || len(id) >= 4 && strings.HasPrefix(r.ID, id) {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 0:
		return dropcap.FleetRun{}, nil, dropcap.Errorf(dropcap.CodeError,
			"`dropcap fleet runs` lists them", "cannot find a run %q", id)
	case len(found) > 1:
		return dropcap.FleetRun{}, nil, usageError("give more of its digits",
			"cannot tell which run %q is: %d begin so", id, len(found))
	case verb != "" && found[0].Verb != verb:
		return dropcap.FleetRun{}, nil, usageError("make one with `dropcap fleet "+verb+
			"`; `dropcap fleet runs` lists those there are",
			"cannot use run %s: it is one of %s, not of %s", found[0].ID, found[0].Verb, verb)
	}
	return s.Run(ctx, found[0].ID)
}

func (a *app) fleetStatus() *cobra.Command {
	f := &outputFlags{}
	var folder string
	var watch bool
	cmd := &cobra.Command{
		Use:   "status RUN",
		Short: "Show how far a run has come: waves, hosts, errors by their cause",
		Long: `Show a run from the controller's store: progress of each wave, hosts that are at
work or failed, errors grouped by cause. Nothing is asked of AWS.
` + fleetExitHelp,
		Example: `  dropcap fleet status 7be13c4f02aa
  dropcap fleet status 7be13c4f02aa --watch
  dropcap fleet status 7be13c4f02aa --format json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRuns(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runFleetStatus(cmd.Context(), args[0], f, folder, watch)
		},
	}
	f.register(cmd, render.FleetFormats("status"), "table")
	noQuiet(cmd)
	cmd.Flags().StringVar(&folder, "store", fleetStore(), "the folder of the controller's store")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it every second until it is over")
	return cmd
}

func (a *app) runFleetStatus(ctx context.Context, id string, f *outputFlags, folder string,
	watch bool) error {
	targets, err := f.targets(checkFleet("status"))
	if err != nil {
		return err
	}
	s, err := store.Open(folder)
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		run, hosts, err := findRun(ctx, s, id, "")
		if err != nil {
			return err
		}
		now, err := fleet.Since(ctx, s, run, hosts)
		if err != nil {
			return err
		}
		if watch && isTerminal(a.out) {
			fmt.Fprint(a.out, "\033[H\033[J")
		}
		if err := a.print(targets, func(w io.Writer, format string, o render.Options) error {
			return render.FleetStatus(w, format, run, now, o)
		}, *f); err != nil {
			return err
		}
		left := leftBehind(s, run)
		if left {
			a.warn(fmt.Errorf("no process is at work on run %s any more: `dropcap fleet resume "+
				"%s` goes on", run.ID, run.ID))
		}
		if !watch || run.State.Over() || left {
			if wire.Changes(run.Verb) {
				a.warned(hosts)
			}
			back, err := fleet.BackoutStatus(ctx, s, run)
			a.status = dropcap.Worst(fleet.StatusOf(run, hosts), back)
			if left {
				a.status = dropcap.Worst(a.status, dropcap.ExitIncomplete)
			}
			return err
		}
		if err := (aws.Wall{}).Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// leftBehind tells whether a run's controller is gone before it was over. A run is kept a moment
// before it is locked, so that a very young one is not judged. A backout and the audits of a gate
// are the work of whoever has the run of which they are.
func leftBehind(s *store.Store, run dropcap.FleetRun) bool {
	started, err := time.Parse(time.RFC3339, run.Started)
	if err != nil || run.State.Over() || time.Since(started) < 2*time.Second {
		return false
	}
	with := []dropcap.FleetRun{run}
	if run.Of != "" && run.Verb != "apply" {
		with = append(with, dropcap.FleetRun{ID: run.Of})
	}
	return !slices.Contains(slices.Collect(maps.Values(atWork(s, with))), true)
}

func (a *app) fleetRuns() *cobra.Command {
	var folder string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List the runs that this controller knows",
		Long: "List the runs in the controller's store, the newest first. Nothing is asked of " +
			"AWS.\n" + fleetExitHelp,
		Example: "  dropcap fleet runs\n  dropcap fleet runs -q",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := store.Open(folder)
			if err != nil {
				return err
			}
			defer s.Close()
			runs, err := s.Runs(cmd.Context())
			if err != nil {
				return err
			}
			if !quiet {
				a.listRuns(runs)
				return nil
			}
			for _, r := range runs {
				fmt.Fprintln(a.out, r.ID)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&folder, "store", fleetStore(), "the folder of the controller's store")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "show ids only")
	return cmd
}

func (a *app) fleetResume() *cobra.Command {
	f := &fleetFlags{}
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
	f.register(cmd.Flags(), false)
	out.register(cmd, render.FleetFormats("audit"), "")
	cmd.Flags().Lookup("quiet").Usage = "of an audit, show node and container ids only"
	return cmd
}

func (a *app) runFleetResume(cmd *cobra.Command, id string, f *fleetFlags, out *outputFlags) error {
	ctx := cmd.Context()
	run, err := f.remembered(ctx, cmd.Flags(), id, "")
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

// reachable tells whether the credentials reach all places of a run.
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

// completeRuns offers the ids of a fleet's runs.
func completeRuns() cobra.CompletionFunc {
	return completeKept(fleetStore(), func(ctx context.Context, s *store.Store) (list []string) {
		runs, _ := s.Runs(ctx)
		for _, r := range runs {
			list = append(list, r.ID+"\t"+r.Verb+" "+r.Started)
		}
		return list
	})
}
