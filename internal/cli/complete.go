package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/store"
)

// completeKept offers what one argument may be, out of the store, if there is one: a key pressed in
// a shell makes none.
func completeKept(usual string,
	offer func(context.Context, *store.Store) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		folder := usual
		if given := cmd.Flags().Lookup("store"); given != nil && given.Changed {
			folder = given.Value.String()
		}
		if len(args) > 0 || !store.Exists(folder) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		s, err := store.Open(folder)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer s.Close()
		return offer(cmd.Context(), s), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeChanges offers the changes for which able says yes, by their containers and by their ids,
// with what each was beside it.
func completeChanges(able func(dropcap.Change) bool) cobra.CompletionFunc {
	return completeKept(defaultStore(), func(ctx context.Context, s *store.Store) []string {
		changes, _ := s.Changes(ctx)
		var list, names []string
		for _, c := range changes {
			if !able(c) {
				continue
			}
			list = append(list, c.ID+"\t"+oneLine(c.Name)+", "+string(c.State)+" "+c.Started)
			if c.Name == oneLine(c.Name) && !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
		return slices.Concat(names, list)
	})
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

// completePlans offers containers, and files where none has such a name: apply takes either.
func (a *app) completePlans(cmd *cobra.Command, args []string,
	typed string) ([]string, cobra.ShellCompDirective) {
	names, _ := a.completeContainers(cmd, args, typed)
	return names, cobra.ShellCompDirectiveDefault
}

// completeWorkloads offers the workloads of which there is evidence.
func completeWorkloads() cobra.CompletionFunc {
	return completeKept(defaultStore(), func(ctx context.Context, s *store.Store) (list []string) {
		all, _ := s.Evidence(ctx)
		for _, w := range all {
			if w.Workload == oneLine(w.Workload) && !slices.Contains(list, w.Workload) {
				list = append(list, w.Workload)
			}
		}
		return list
	})
}

// completeNeeds offers a workload, then a capability.
func completeNeeds(cmd *cobra.Command, args []string,
	typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return completeWorkloads()(cmd, args, typed)
	}
	return spellings(typed), cobra.ShellCompDirectiveNoFileComp
}

func everyChange(dropcap.Change) bool { return true }

// withoutFiles keeps shells from offering files to commands that take no arguments.
func withoutFiles(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() && !strings.Contains(cmd.Use, "FILE") {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		withoutFiles(sub)
	}
}
