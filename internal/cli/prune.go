package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dropcap/internal/cli/flag"
	"dropcap/internal/host"
	"dropcap/internal/printable"
)

func (a *app) prune() *cobra.Command {
	f := &flag.Change{}
	var older string
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove old retained containers, never their volumes",
		Long: `Remove the containers that changes have left behind for a backout, if the change
ended long enough ago. Volumes are never removed. A change whose container is gone can still be
backed out: the container is then made again from the journal.
` + changeExitHelp,
		Example: `  sudo dropcap prune --older-than 30d
  sudo dropcap prune --older-than 0s --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runPrune(cmd.Context(), f, older)
		},
	}
	f.Register(cmd.Flags(), defaultStore())
	cmd.Flags().StringVar(&older, "older-than", "7d", "of changes that ended so long ago: 12h, 30d")
	return cmd
}

func (a *app) runPrune(ctx context.Context, f *flag.Change, older string) error {
	age, err := parseAge(older)
	if err != nil {
		return err
	}
	a.yes = f.Yes
	ctx, done := hangup(ctx)
	defer done()
	gone, r, err := a.host(f.Store).Prune(ctx, host.PruneRequest{OlderThan: age,
		CallTimeout: f.CallTimeout})
	switch {
	case a.finished:
		fmt.Fprintf(a.err, "removed %s\n", printable.Count(gone, "retained container"))
	case err == nil:
		fmt.Fprintln(a.err, "nothing to remove")
	}
	return a.outcome(r, err)
}

// parseAge reads a duration, or a number of days.
func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return d, nil
	}
	return 0, usageError("for example --older-than 30d", "cannot read the age %q", s)
}
