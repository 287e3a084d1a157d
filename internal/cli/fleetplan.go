package cli

import (
	"context"

	"github.com/spf13/cobra"

	"dropcap/internal/fleet"
)

func (a *app) fleetPlan() *cobra.Command {
	cmd := a.look("plan", &cobra.Command{
		Use: "plan", Short: "Let many hosts plan, and show equal plans as one",
		Long: `Each host plans for itself and keeps its plan. Equal plans are shown as one. Nothing
is changed. What is printed last, the run's id, is what "dropcap fleet apply" takes: it sends each
host the id and digest of its own plan, so that exactly what was shown is applied, or refused.
`,
		Example: `  dropcap fleet plan --targets tag:role=web
  dropcap fleet plan --targets all --level least --format json=plans.json`,
	},
		func(cmd *cobra.Command, f *fleetLook) {
			f.Choose(cmd)
			cmd.Flags().StringVar(&f.Accept, "accept", "",
				"low: let evidence of low confidence, or none, decide")
			cmd.Flags().StringVar(&f.Strategy, "strategy", "",
				"recreate, in-place, source or manual (default: as each container's owner does it)")
		},
		func(ctx context.Context, c *control, f *fleetLook) error {
			run, hosts, err := c.do(ctx, &f.Fleet, f.Run("plan"), &f.outputFlags)
			if err == nil && !f.PrintAWS && len(fleet.ResultOf(run, hosts).Documents) > 0 {
				c.app.hintRun("apply it with", "apply", run)
			}
			return err
		})
	return cmd
}
