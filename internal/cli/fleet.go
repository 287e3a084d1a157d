package cli

import "github.com/spf13/cobra"

// fleet groups the verbs on many hosts.
func (a *app) fleet() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "The same verbs on many hosts, through AWS Systems Manager",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.fleetLab())
	return cmd
}
