package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/printable"
	"dropcap/internal/store"
)

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

// listRuns is a line for each run.
func (a *app) listRuns(list []dropcap.FleetRun) {
	for _, r := range list {
		fmt.Fprintf(a.out, "%s  %s  %-8s  %11s  %-12s  %s\n", r.ID, r.Started, r.Verb,
			printable.Count(r.Hosts, "host"), r.State, oneLine(r.Because))
	}
}
