package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/store"
)

// completeChanges offers the ids of changes for which able says yes, and beside each what it was. A key pressed in a shell makes no store.
func (a *app) completeChanges(able func(dropcap.Change) bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		s, err := existing(cmd, defaultStore())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer s.Close()
		changes, _ := s.Changes(cmd.Context())
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
		return slices.Concat(names, list), cobra.ShellCompDirectiveNoFileComp
	}
}

// completePlans offers containers, and files where none has such a name: apply takes either.
func (a *app) completePlans(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, _ := a.completeContainers(cmd, args, typed)
	return names, cobra.ShellCompDirectiveDefault
}

// completeWorkloads offers the workloads of which there is evidence.
func (a *app) completeWorkloads(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s, err := existing(cmd, defaultStore())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer s.Close()
	all, _ := s.Evidence(cmd.Context())
	var list []string
	for _, w := range all {
		if w.Workload == oneLine(w.Workload) && !slices.Contains(list, w.Workload) {
			list = append(list, w.Workload)
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// completeNeeds offers a workload, then a capability.
func (a *app) completeNeeds(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return a.completeWorkloads(cmd, args, typed)
	}
	return spellings(typed), cobra.ShellCompDirectiveNoFileComp
}

func everyChange(dropcap.Change) bool { return true }

func canBeBackedOut(c dropcap.Change) bool {
	return c.State == dropcap.Applied || c.State == dropcap.NeedsPerson
}

// existing opens the store of --store, or the usual one, if it is there.
func existing(cmd *cobra.Command, usual string) (*store.Store, error) {
	if given := cmd.Flags().Lookup("store"); given != nil && given.Changed {
		usual = given.Value.String()
	}
	if !store.Exists(usual) {
		return nil, dropcap.ErrNotFound
	}
	return store.Open(usual)
}

// withoutFiles keeps shells from offering files to commands that take no arguments.
func withoutFiles(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() && !strings.Contains(cmd.Use, "FILE") {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		withoutFiles(sub)
	}
}
