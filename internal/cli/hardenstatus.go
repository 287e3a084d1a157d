package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dropcap/internal/host"
	"dropcap/internal/render"
	"dropcap/internal/store"
)

func (a *app) hardenStatus(folder *string) *cobra.Command {
	f := &outputFlags{}
	cmd := &cobra.Command{
		Use:   "status [CONTAINER|WORKLOAD...]",
		Short: "Tell where each hardening is, what it waits for, and what comes next",
		Long: `Tell of each workload that is being hardened where it is and since when, what it waits
for, what it would drop or has dropped, and what comes next and when; with names, all that has
happened to these. No engine is asked.
` + hardenExit,
		Example: `  sudo dropcap harden status
  sudo dropcap harden status web
  sudo dropcap harden status --format json`,
		ValidArgsFunction: completeHardenings(folder),
		Args:              cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.usual = "table"
			if len(args) > 0 {
				f.usual = "timeline"
			}
			targets, err := f.targets(render.CheckHardeningFormat)
			if err != nil {
				return err
			}
			h := a.host(*folder)
			doc, err := h.Hardenings(cmd.Context(), args)
			if err != nil {
				return err
			}
			if len(doc.Hardenings) > 0 && !h.HardeningElsewhere() {
				fmt.Fprintln(a.err, "no service carries these on: `systemctl enable --now "+
					"dropcap-harden`, or `dropcap harden --service`")
			}
			return a.printHardenings(targets, doc, *f)
		},
	}
	f.register(cmd, render.HardeningFormats(), "")
	cmd.Flags().Lookup("quiet").Usage = "show workloads only"
	return cmd
}

// hardenWishes are the commands by which a person leads a hardening.
func (a *app) hardenWishes(folder *string) []*cobra.Command {
	var list []*cobra.Command
	for _, w := range []struct {
		name, short, long string
		do                host.HardenWish
	}{
		{"pause", "Stop all that is done about workloads, until resume",
			"Stop all that is done about workloads until \"dropcap harden resume\". A trial that " +
				"runs is lifted; what was changed stays.", host.HardenPause},
		{"resume", "Go on after a pause, or with what waits for a person",
			"Go on with workloads after a pause, or after what held them up was mended.",
			host.HardenResume},
		{"stop", "End the hardening of workloads",
			"End the hardening of workloads. A trial that runs is lifted; what was changed stays, " +
				"and \"dropcap backout\" takes it back.", host.HardenStop},
		{"approve", "Agree to the changes that wait for it",
			"Agree to drop what \"dropcap harden status\" shows of these workloads, and nothing " +
				"else.", host.HardenApprove},
	} {
		f := &outputFlags{}
		cmd := &cobra.Command{
			Use: w.name + " CONTAINER|WORKLOAD...", Short: w.short,
			Long: w.long + " --all does so with all of which it is possible.\n" + hardenExit,
			Example: "  sudo dropcap harden " + w.name + " web\n  sudo dropcap harden " + w.name +
				" --all",
			Args:              cobra.ArbitraryArgs,
			ValidArgsFunction: completeHardenings(folder),
		}
		all := cmd.Flags().Bool("all", false, "all of which it is possible")
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if *all == (len(args) > 0) {
				return usageError("name workloads, or --all", "cannot %s: nothing says what",
					w.name)
			}
			return a.runHardenWish(cmd.Context(), args, *folder, w.do, f)
		}
		f.register(cmd, render.HardeningFormats(), "table")
		cmd.Flags().Lookup("quiet").Usage = "show workloads only"
		list = append(list, cmd)
	}
	return list
}

func (a *app) runHardenWish(ctx context.Context, names []string, folder string,
	do host.HardenWish, f *outputFlags) error {
	targets, err := f.targets(render.CheckHardeningFormat)
	if err != nil {
		return err
	}
	doc, err := a.host(folder).HardenWished(ctx, names, do)
	if err != nil {
		return err
	}
	return a.printHardenings(targets, doc, *f)
}

// completeHardenings offers the workloads that are being hardened.
func completeHardenings(folder *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string,
		typed string) ([]string, cobra.ShellCompDirective) {
		offer := func(ctx context.Context, s *store.Store) (names []string) {
			list, _ := s.Hardenings(ctx)
			for _, h := range list {
				names = append(names, oneLine(h.Workload)+"\t"+string(h.State))
			}
			return names
		}
		return completeKept(*folder, offer)(cmd, nil, typed)
	}
}
