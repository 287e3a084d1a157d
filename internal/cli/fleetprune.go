package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/fleet"
	"dropcap/internal/printable"
	"dropcap/internal/store"
)

type fleetPruneCommand struct {
	store, older     string
	all, yes, dryRun bool
}

func (a *app) fleetPrune() *cobra.Command {
	f := &fleetPruneCommand{}
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Forget old runs of this controller",
		Long: `Remove runs that ended long enough ago, with what their hosts answered, from the
controller's store. A run that was stopped, or whose changes could be backed out, stays, with its
backout and the audits of its gate, unless --all; one that a process is at work on always. Nothing
is asked of AWS, and hosts keep what they have.
` + fleetExitHelp,
		Example: `  dropcap fleet prune --older-than 90d --dry-run
  dropcap fleet prune --older-than 0s --all --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runFleetPrune(cmd.Context(), f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.store, "store", fleetStore(), "the folder of the controller's store")
	fl.StringVar(&f.older, "older-than", "30d", "runs that ended so long ago: 12h, 90d")
	fl.BoolVar(&f.all, "all", false,
		"also runs that could be resumed or backed out; that is not possible any more then")
	fl.BoolVar(&f.dryRun, "dry-run", false, "list them, and remove nothing")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) runFleetPrune(ctx context.Context, f *fleetPruneCommand) error {
	age, err := parseAge(f.older)
	if err != nil {
		return err
	}
	s, err := store.Open(f.store)
	if err != nil {
		return err
	}
	defer s.Close()
	runs, err := s.Runs(ctx)
	if err != nil {
		return err
	}
	list := fleet.Prunable(runs, time.Now().Add(-age), f.all, atWork(s, runs))
	switch {
	case len(list) == 0:
		fmt.Fprintln(a.err, "nothing to remove")
		return nil
	case f.dryRun:
		a.listRuns(list)
		return nil
	case !f.yes:
		if err := a.confirm(ctx, fmt.Sprintf("Remove %s of %d?", printable.Count(len(list), "run"),
			len(runs))); err != nil {
			return err
		}
	}
	for i, r := range list {
		if err := forget(ctx, s, r); err != nil {
			fmt.Fprintf(a.err, "removed %s\n", printable.Count(i, "run"))
			return err
		}
	}
	fmt.Fprintf(a.err, "removed %s\n", printable.Count(len(list), "run"))
	return nil
}

// atWork returns the runs that a process works on.
func atWork(s *store.Store, runs []dropcap.FleetRun) map[string]bool {
	busy := map[string]bool{}
	for _, r := range runs {
		if r.State == dropcap.RunDone { // nobody continues it
			continue
		}
		unlock, err := s.LockRun(r.ID)
		if busy[r.ID] = err != nil; err == nil {
			unlock()
		}
	}
	return busy
}

// forget removes a run that no process works on.
func forget(ctx context.Context, s *store.Store, r dropcap.FleetRun) error {
	unlock, err := s.LockRun(r.ID)
	if err != nil {
		return err
	}
	defer unlock()
	return s.ForgetRun(ctx, r.ID)
}
