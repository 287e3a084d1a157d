package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"dropcap/internal/host"
)

func (a *app) recover() *cobra.Command {
	f := &changeFlags{}
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Bring to an end what a crash has left unfinished",
		Long: `Bring every change to its end that went on when dropcap or this host ended: forward where the new container is in its place and passes
the gate, back in all other cases. It decides by what the engine says of the containers, and may be run at any time and any number of
times; apply, backout and prune do it first by themselves. A service does it at boot.
` + changeExitHelp,
		Example: `  sudo dropcap recover
  sudo dropcap recover --wait 5m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runRecover(cmd.Context(), f, wait) },
	}
	f.register(cmd.Flags())
	cobra.CheckErr(cmd.Flags().MarkHidden("yes"))
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for the engine to answer")
	return cmd
}

func (a *app) runRecover(ctx context.Context, f *changeFlags, wait time.Duration) error {
	ctx, done := hangup(ctx)
	defer done()
	r, err := a.host(f.store).Recover(ctx, host.RecoverRequest{Wait: wait, CallTimeout: f.usual})
	if err == nil && len(r.Changes.Changes) == 0 {
		fmt.Fprintln(a.err, "nothing to recover")
	}
	return a.outcome(r, err)
}
