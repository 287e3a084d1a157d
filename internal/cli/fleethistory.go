package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) fleetHistory() *cobra.Command {
	return a.look("history", &cobra.Command{
		Use: "history", Short: "Show the changes of many hosts",
		Long:    "List the changes that were made on each host, the newest first.\n",
		Example: `  dropcap fleet history --targets all`,
	},
		func(*cobra.Command, *fleetLook) {},
		func(ctx context.Context, c *control, f *fleetLook) error {
			_, _, err := c.do(ctx, &f.Fleet, f.Run("history"), &f.outputFlags)
			return err
		})
}
