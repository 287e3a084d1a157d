package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/store"
)

func (a *app) evidence() *cobra.Command {
	var format, folder string
	show := func(_ *cobra.Command, args []string) error {
		if format != "text" && format != "json" {
			return usageError("text or json", "cannot show evidence in the format %q", format)
		}
		return a.showEvidence(args, format, folder)
	}
	cmd := &cobra.Command{
		Use:   "evidence [WORKLOAD]",
		Short: "Show, import, approve or forget what workloads were seen to need",
		Long: `Show the evidence of all workloads, or of one, as learn recorded it: what is required and by what, what is unused, the
recommended settings for docker run, compose, ECS and Kubernetes, and how sure that is. Export it with --format json.

What is flagged was shown only by programs that are not the image's, or only by docker exec: it keeps nothing (beyond the engine's
defaults) until "dropcap evidence approve" says that it is the workload's own.
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
			Long:    "Take in evidence that another host exported; - is standard input. It stands beside this host's own, never in it.\n" + evidenceExit,
			Example: "  sudo dropcap evidence import evidence.json",
			Args:    cobra.ExactArgs(1),
			RunE:    func(cmd *cobra.Command, args []string) error { return a.importEvidence(cmd.Context(), args[0], folder) },
		},
		&cobra.Command{
			Use: "forget WORKLOAD", Short: "Forget the evidence of a workload",
			Long:    "Forget all evidence of a workload, of every revision and host.\n" + evidenceExit,
			Example: "  sudo dropcap evidence forget docker:web",
			Args:    cobra.ExactArgs(1), ValidArgsFunction: completeWorkloads(),
			RunE: func(cmd *cobra.Command, args []string) error { return a.forgetEvidence(cmd.Context(), args[0], folder) },
		},
		a.approve(&folder))
	return cmd
}

const evidenceExit = `
Exit status: 0 done; 1 error (also where there is no evidence of what is named); 2 usage; 130 interrupted.`

// stored reads the store's evidence, merged by workload and revision; a name without its kind ("web" for "docker:web") is enough.
func stored(ctx context.Context, folder, name string) ([]dropcap.WorkloadEvidence, error) {
	s, err := store.Open(folder)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return storedIn(ctx, s, name)
}

func storedIn(ctx context.Context, s *store.Store, name string) ([]dropcap.WorkloadEvidence, error) {
	all, err := s.Evidence(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i] = unkeyed(all[i])
	}
	list := evidence.Merge(all, evidence.ByHost)
	if name == "" {
		return list, nil
	}
	if list, _ = chosen(list, []string{name}); len(list) == 0 {
		return nil, dropcap.Errorf(dropcap.CodeError, "`dropcap evidence` lists what there is; `dropcap learn` records it", "cannot find evidence of %q", name)
	}
	return list, nil
}

// chosen are the workloads of these names, and the names that none has.
func chosen(all []dropcap.WorkloadEvidence, names []string) (list []dropcap.WorkloadEvidence, absent []string) {
	found := map[string]bool{}
	list = []dropcap.WorkloadEvidence{}
	for _, w := range all {
		_, short, _ := strings.Cut(w.Workload, ":")
		if slices.Contains(names, w.Workload) || slices.Contains(names, short) {
			found[w.Workload], found[short] = true, true
			list = append(list, w)
		}
	}
	for _, name := range names {
		if !found[name] {
			absent = append(absent, name)
		}
	}
	return list, absent
}

func (a *app) showEvidence(args []string, format, folder string) error {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	list, err := stored(context.Background(), folder, name)
	if err != nil {
		return err
	}
	if list == nil {
		list = []dropcap.WorkloadEvidence{}
	}
	return a.printEvidence(dropcap.Evidence{Schema: dropcap.SchemaEvidence, Workloads: list}, format)
}

func (a *app) importEvidence(ctx context.Context, file, folder string) error {
	b, err := readAll(ctx, a.in, file, evidence.MostBytes)
	if err != nil {
		return err
	}
	doc, err := evidence.Import(b)
	if err != nil {
		return err
	}
	s, err := store.Open(folder)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, w := range doc.Workloads {
		if len(w.Sources) == 0 {
			continue
		}
		if err := (keeper{s, w.Sources[0].Host.ID}).Keep(ctx, w); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.err, "took in the evidence of %s\n", counted(len(doc.Workloads), "workload"))
	return nil
}

func (a *app) forgetEvidence(ctx context.Context, name, folder string) error {
	list, err := stored(ctx, folder, name)
	if err != nil {
		return err
	}
	s, err := store.Open(folder)
	if err != nil {
		return err
	}
	defer s.Close()
	gone := 0
	for _, w := range list {
		n, err := s.Forget(ctx, w.Workload, "")
		if err != nil {
			return err
		}
		gone += n
	}
	fmt.Fprintf(a.err, "forgot %s\n", counted(gone, "record"))
	return nil
}

// recall gives the evidence that there is, for a judgement, and marks in a snapshot of this host the containers that a change retains. Where there
// is no store there is nothing of either; where it cannot be read there is a warning, and the judgement without it is the stricter one.
func (a *app) recall(ctx context.Context, folder string, snap *dropcap.Snapshot, ofThisHost bool) []dropcap.WorkloadEvidence {
	if _, err := os.Stat(folder); err != nil {
		return nil
	}
	s, err := store.Open(folder)
	if err != nil {
		a.warn(fmt.Errorf("judging without evidence: %w", err))
		return nil
	}
	defer s.Close()
	list, err := storedIn(ctx, s, "")
	if err != nil {
		a.warn(fmt.Errorf("judging without evidence: %w", err))
	}
	if ofThisHost {
		if err := markRetained(ctx, s, snap); err != nil {
			a.warn(fmt.Errorf("judging retained containers like any other: %w", err))
		}
	}
	return list
}
