package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) fleetLearn() *cobra.Command {
	return a.look("learn", &cobra.Command{
		Use: "learn", Short: "Record on many hosts which capabilities containers really use",
		Long: `Each host records for the time of --for, all at once, and keeps the evidence.
"dropcap fleet evidence" gets it from there.
`,
		Example: `  dropcap fleet learn --targets tag:role=web --for 1h`,
	},
		func(cmd *cobra.Command, f *fleetLook) {
			cmd.Flags().DurationVar(&f.For, "for", 10*time.Minute, "record for this long")
		},
		func(ctx context.Context, c *control, f *fleetLook) error {
			if f.For < time.Second {
				return usageError("for example --for 10m", "cannot learn for %s", f.For)
			}
			_, _, err := c.do(ctx, &f.Fleet, f.Run("learn"), &f.outputFlags)
			return err
		})
}
