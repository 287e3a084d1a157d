package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dropcap/caps"
	"dropcap/internal/host"
)

func (a *app) approve(folder *string) *cobra.Command {
	undo := false
	cmd := &cobra.Command{
		Use: "approve WORKLOAD CAPABILITY", Short: "Say that a flagged need is the workload's own",
		Long: `Say that the workload itself needs a capability that only programs showed which are
not the image's, or only docker exec. It then counts as required, at all revisions on which it was
seen, until --undo takes that back.
` + evidenceExit,
		Example: "  sudo dropcap evidence approve docker:web NET_ADMIN\n  sudo dropcap evidence " +
			"approve --undo docker:web NET_ADMIN",
		Args: cobra.ExactArgs(2), ValidArgsFunction: completeNeeds,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := caps.Parse(args[1])
			if err != nil {
				return usageError("`dropcap explain NET_RAW` shows how they are named",
					"cannot approve: %w", err)
			}
			q := host.ApproveRequest{Workload: args[0], Cap: c, Undo: undo}
			return a.runApprove(cmd.Context(), q, *folder)
		},
	}
	cmd.Flags().BoolVar(&undo, "undo", false, "take the approval back")
	return cmd
}

func (a *app) runApprove(ctx context.Context, q host.ApproveRequest, folder string) error {
	if err := a.host(folder).Approve(ctx, q); err != nil {
		return err
	}
	says := "%s of %s counts as its own need\n"
	if q.Undo {
		says = "%s of %s is not approved any more\n"
	}
	fmt.Fprintf(a.err, says, q.Cap.Short(), oneLine(q.Workload))
	return nil
}

// completeNeeds offers a workload, then a capability.
func completeNeeds(cmd *cobra.Command, args []string,
	typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return completeWorkloads()(cmd, args, typed)
	}
	return spellings(typed), cobra.ShellCompDirectiveNoFileComp
}
