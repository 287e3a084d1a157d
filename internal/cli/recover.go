package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
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
	var ch *changing
	var err error
	for end := time.Now().Add(wait); ; {
		if ch, err = a.changeOnly(ctx, f); err == nil || codeOf(err) != dropcap.CodeHost || time.Now().After(end) || ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if err != nil {
		return err
	}
	defer ch.close()
	ctx, done := a.begun(ctx)
	defer done()
	outcomes, err := ch.Recover(ctx)
	for _, o := range outcomes {
		a.tellRecovered(o)
	}
	if err != nil {
		return err
	}
	if len(outcomes) == 0 {
		fmt.Fprintln(a.err, "nothing to recover")
	}
	return a.outcome(outcomes)
}
