package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/render"
	"dropcap/internal/store"
	"dropcap/internal/wire"
)

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
		run, hosts, err := fleet.FindRun(ctx, s, id, "")
		if err != nil {
			return err
		}
		now, err := fleet.AfterBackout(ctx, s, run, hosts)
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
				a.hostWarnings(hosts)
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

// leftBehind reports whether a run's controller ended before the run. A run is kept a moment
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
