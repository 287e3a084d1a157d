package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/file"
	"dropcap/internal/evidence"
	"dropcap/internal/host"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
	"dropcap/internal/render"
	"dropcap/internal/store"
)

func (a *app) evidence() *cobra.Command {
	var format, folder string
	show := func(cmd *cobra.Command, args []string) error {
		if format != "text" && format != "json" {
			return usageError("text or json", "cannot show evidence in the format %q", format)
		}
		return a.showEvidence(cmd.Context(), args, format, folder)
	}
	cmd := &cobra.Command{
		Use:   "evidence [WORKLOAD]",
		Short: "Show, import, approve or forget what workloads were seen to need",
		Long: `Show the evidence of all workloads, or of one, as learn recorded it: what is
required and by what, what is unused, the recommended settings for docker run, compose, ECS and
Kubernetes, and how sure that is. Export it with --format json.

What is flagged was shown only by programs that are not the image's, or only by docker exec: it
keeps nothing (beyond the engine's defaults) until "dropcap evidence approve" says that it is the
workload's own.
` + evidenceExit,
		Example: `  sudo dropcap evidence
  sudo dropcap evidence compose:shop/web
  sudo dropcap evidence --format json >evidence.json
  sudo dropcap evidence import evidence.json
  sudo dropcap evidence forget docker:web`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeWorkloads(),
		RunE:              show,
	}
	cmd.Flags().StringVar(&format, "format", "text", "output: text or json")
	cmd.PersistentFlags().StringVar(&folder, "store", defaultStore(), "the folder of the store")
	cmd.AddCommand(
		&cobra.Command{
			Use: "import FILE", Short: "Take in evidence that another host exported",
			Long: "Take in evidence that another host exported; - is standard input. It " +
				"stands beside this host's own, never in it.\n" + evidenceExit,
			Example: "  sudo dropcap evidence import evidence.json",
			Args:    cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return a.importEvidence(cmd.Context(), args[0], folder)
			},
		},
		&cobra.Command{
			Use: "forget WORKLOAD", Short: "Forget the evidence of a workload",
			Long: "Forget all evidence of a workload, of every revision and host.\n" +
				evidenceExit,
			Example: "  sudo dropcap evidence forget docker:web",
			Args:    cobra.ExactArgs(1), ValidArgsFunction: completeWorkloads(),
			RunE: func(cmd *cobra.Command, args []string) error {
				return a.forgetEvidence(cmd.Context(), args[0], folder)
			},
		},
		a.approve(&folder))
	return cmd
}

const evidenceExit = `
Exit status: 0 done; 1 error (also where there is no evidence of what is named); 2 usage; 130
interrupted.`

func (a *app) showEvidence(ctx context.Context, args []string, format, folder string) error {
	var q host.EvidenceRequest
	if len(args) > 0 {
		q.Workload = args[0]
	}
	doc, err := a.host(folder).Evidence(ctx, q)
	if err != nil {
		return err
	}
	return a.printEvidence(doc, format)
}

func (a *app) importEvidence(ctx context.Context, path, folder string) error {
	b, err := file.Read(ctx, a.in, path, evidence.MostBytes)
	if err != nil {
		return err
	}
	doc, err := evidence.Import(b)
	if err != nil {
		return err
	}
	if err := a.host(folder).Import(ctx, doc); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "took in the evidence of %s\n", printable.Count(len(doc.Workloads),
		"workload"))
	return nil
}

func (a *app) forgetEvidence(ctx context.Context, name, folder string) error {
	gone, err := a.host(folder).Forget(ctx, host.EvidenceRequest{Workload: name})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "forgot %s\n", printable.Count(gone, "record"))
	return nil
}

func (a *app) printEvidence(e dropcap.Evidence, format string) error {
	if format == "json" {
		return writeJSON(a.out, e)
	}
	return render.Evidence(a.out, e, texts, a.options(outputFlags{}))
}

// texts says a recommendation in each owner's language.
func texts(w dropcap.WorkloadEvidence) [][2]string {
	list := owner.Recommended(w.Recommended)
	if step, ok := evidence.RecommendCIS(w); ok {
		list = append(list, [2]string{"level cis", owner.RunFlags(step) +
			"   (the smaller step: nothing else changes)"})
	}
	return list
}

// completeWorkloads offers the workloads of which there is evidence.
func completeWorkloads() cobra.CompletionFunc {
	return completeKept(defaultStore(), func(ctx context.Context, s *store.Store) (list []string) {
		all, _ := s.Evidence(ctx)
		for _, w := range all {
			if w.Workload == oneLine(w.Workload) && !slices.Contains(list, w.Workload) {
				list = append(list, w.Workload)
			}
		}
		return list
	})
}
