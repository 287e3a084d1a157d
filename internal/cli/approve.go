package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/store"
)

func (a *app) approve(folder *string) *cobra.Command {
	undo := false
	cmd := &cobra.Command{
		Use: "approve WORKLOAD CAPABILITY", Short: "Say that a flagged need is the workload's own",
		Long: `Say that the workload itself needs a capability that only programs showed which are not the image's, or only docker exec.
It then counts as required, at all revisions on which it was seen, until --undo takes that back.
` + evidenceExit,
		Example: "  sudo dropcap evidence approve docker:web NET_ADMIN\n  sudo dropcap evidence approve --undo docker:web NET_ADMIN",
		Args:    cobra.ExactArgs(2), ValidArgsFunction: completeNeeds,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := caps.Parse(args[1])
			if err != nil {
				return usageError("`dropcap explain NET_RAW` shows how they are named", "cannot approve: %w", err)
			}
			return a.runApprove(cmd.Context(), args[0], c, !undo, *folder)
		},
	}
	cmd.Flags().BoolVar(&undo, "undo", false, "take the approval back")
	return cmd
}

func (a *app) runApprove(ctx context.Context, name string, c caps.Cap, yes bool, folder string) error {
	list, err := stored(ctx, folder, name)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, w := range list {
		names[w.Workload] = true
	}
	s, err := store.Open(folder)
	if err != nil {
		return err
	}
	defer s.Close()
	all, err := s.Evidence(ctx)
	if err != nil {
		return err
	}
	total := 0
	for _, w := range all {
		if !names[w.Workload] {
			continue
		}
		err := s.Update(ctx, w.Workload, w.Revision, func(old *dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
			if old == nil { // forgotten meanwhile
				return w, dropcap.Errorf(dropcap.CodeError, "", "cannot approve: the evidence of %s was forgotten meanwhile", w.Workload)
			}
			changed, n := evidence.Approve(*old, c, yes)
			total += n
			return changed, nil
		})
		if err != nil {
			return err
		}
	}
	switch {
	case total == 0:
		return dropcap.Errorf(dropcap.CodeError, "`dropcap evidence "+oneLine(name)+"` shows what is flagged", "cannot approve: no need of %s by %s is flagged", c.Short(), name)
	case yes:
		fmt.Fprintf(a.err, "%s of %s counts as its own need\n", c.Short(), oneLine(name))
	default:
		fmt.Fprintf(a.err, "%s of %s is not approved any more\n", c.Short(), oneLine(name))
	}
	return nil
}
