package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/audit"
	"dropcap/internal/cli/file"
	"dropcap/internal/doctor"
	"dropcap/internal/host"
	"dropcap/internal/policy"
	"dropcap/internal/printable"
	"dropcap/internal/render"
	"dropcap/internal/snapshot"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// auditFlags are the flags of `dropcap audit`.
type auditFlags struct {
	outputFlags
	filters                       []string
	policy, level                 string
	baseline, from, saveTo, store string
	ifPresent                     bool
}

func (a *app) audit() *cobra.Command {
	f := &auditFlags{}
	cmd := &cobra.Command{
		Use:   "audit [CONTAINER...]",
		Short: "Tell what containers may really do, and judge it",
		Long: `Look at every container, running or not: what its configuration declares, what the
engine grants for that, and what its processes hold by the kernel's own word; judge it by the
policy, say what mends each finding, and end with the commands that come next: learn, plan, apply.

A running container is judged on what its processes hold and on what its configuration grants,
since what they gave up is there again after a restart and in every exec. One whose processes
cannot be seen is "unknown", never "pass". Nothing is changed.
` + exitHelp,
		Example: `  dropcap audit                                   all containers, as a table
  dropcap audit web db                            two of them
  dropcap audit --filter status=running --filter verdict=fail
  dropcap audit --format cis                      the benchmark's own line per container
  dropcap audit --format json --format sarif=capabilities.sarif
  dropcap audit --format 'table {{.Name}}\t{{.Verdict}}\t{{.Holds}}'
  dropcap audit --format json >base.json; dropcap audit --baseline base.json    fail only on what is new
  dropcap audit --snapshot host.json; dropcap audit --from host.json --level least`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runAudit(cmd.Context(), args, f)
		},
	}
	f.register(cmd, render.Formats(), "table")
	fl := cmd.Flags()
	fl.StringArrayVarP(&f.filters, "filter", "f", nil,
		"docker's filters (name=, label=, status=, …) and ours: verdict=, rule=, cap=, owner=")
	fl.StringVar(&f.policy, "policy", "",
		"policy file (default: /etc/dropcap/policy.yaml; if not root, also ./dropcap.yaml)")
	fl.StringVar(&f.level, "level", "",
		"how much to demand: cis or least (default: the policy's, else cis)")
	fl.StringVar(&f.baseline, "baseline", "",
		"an earlier audit as JSON: only findings that it does not have count")
	fl.StringVar(&f.from, "from", "",
		"judge a saved snapshot or audit instead of this host; - is standard input")
	fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store, for evidence")
	fl.StringVar(&f.saveTo, "snapshot", "", "save what was seen, unjudged, to this file")
	ifPresent(fl, &f.ifPresent)
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("level",
		cobra.FixedCompletions([]string{"cis", "least"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// ifPresent is for requests of a fleet: a name that one host lacks may be another's.
func ifPresent(fl *pflag.FlagSet, into *bool) {
	fl.BoolVar(into, "if-present", false,
		"tell which of the names no container has, and do not fail")
	cobra.CheckErr(fl.MarkHidden("if-present"))
}

func (a *app) runAudit(ctx context.Context, names []string, f *auditFlags) error {
	targets, err := f.targets(render.CheckFormat, f.saveTo)
	if err != nil {
		return err
	}
	a.warnQuiet(f.outputFlags)
	pol, err := a.loadPolicy(ctx, f.policy, f.level)
	if err != nil {
		return err
	}
	base, err := loadBaseline(ctx, f.baseline)
	if err != nil {
		return err
	}
	engine, ours, err := audit.SplitFilters(f.filters)
	if err != nil {
		return err
	}
	q := host.AuditRequest{Policy: pol, Known: base, Filter: ours, SeeRequest: host.SeeRequest{
		Names: names, Filters: engine, IfPresent: f.ifPresent, HostUnseen: f.saveTo == "" &&
			hostUnseen(targets),
	}}
	if q.Saved, err = a.saved(ctx, q, f.from); err != nil {
		return err
	}
	r, err := a.host(f.store).Audit(ctx, q)
	if err != nil {
		return err
	}
	if f.saveTo != "" {
		if err := file.Write(f.saveTo, func(w io.Writer) error {
			return writeJSON(w, r.Snapshot)
		}); err != nil {
			return err
		}
	}
	result := r.Audit
	a.status = result.Status()
	next := a.next(r.Next, f)
	return a.print(targets, func(w io.Writer, format string, o render.Options) error {
		o.Next = next
		return render.Audit(w, format, result, o)
	}, f.outputFlags)
}

// next writes what to do next as commands to be pasted.
func (a *app) next(list []audit.Advice, f *auditFlags) []render.Advice {
	var out []render.Advice
	for _, x := range list {
		words := append([]string{"dropcap"}, x.Args...)
		if os.Geteuid() != 0 {
			words = append([]string{"sudo"}, words...)
		}
		words = append(words, a.alsoNext(f, x.Args[0])...)
		for i := range words {
			words[i] = printable.Shell(words[i])
		}
		out = append(out, render.Advice{Why: x.Why, Command: strings.Join(words, " ")})
	}
	return out
}

// alsoNext are the flags of this command, and what the environment says in their place, that
// another command needs to be about the same. sudo lets no environment through.
func (a *app) alsoNext(f *auditFlags, command string) []string {
	args := a.engine.Args()
	sudo := os.Geteuid() != 0
	if engine := os.Getenv("DOCKER_HOST"); sudo && engine != "" && len(args) == 0 {
		args = append(args, "--host="+engine)
	}
	if f.store != doctor.DefaultStore && (sudo || f.store != defaultStore()) {
		args = append(args, "--store="+f.store)
	}
	if command != "learn" && f.policy != "" {
		args = append(args, "--policy="+f.policy)
	}
	return args
}

// saved reads the snapshot that --from names; nil without one.
func (a *app) saved(ctx context.Context, q host.AuditRequest,
	from string) (*dropcap.Snapshot, error) {
	if from == "" {
		return nil, nil
	}
	if len(q.Filters) > 0 {
		return nil, usageError("filter by verdict=, rule=, cap= or owner=",
			"cannot ask a saved snapshot for docker's filter %q", q.Filters[0])
	}
	text, err := file.Read(ctx, a.in, from, file.MostDocument)
	if err != nil {
		return nil, err
	}
	s, err := snapshot.Parse(file.Name(a.in, from), text)
	if err != nil {
		return nil, err
	}
	s, err = snapshot.Pick(s, q.Names)
	return &s, err
}

// loadBaseline reads an earlier audit; nil without one.
func loadBaseline(ctx context.Context, path string) (func(string, dropcap.Finding) bool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := file.Read(ctx, nil, path, file.MostDocument)
	if err != nil {
		return nil, err
	}
	return policy.ParseBaseline(path, text)
}

// hostUnseen reports whether no output describes the host.
func hostUnseen(targets []target) bool {
	return !slices.ContainsFunc(targets, func(t target) bool {
		return !slices.Contains([]string{"table", "wide", "cis"}, t.format)
	})
}

// completeContainers completes containers' names from the engine, but for those that are named
// already; an engine that does not answer completes nothing.
func (a *app) completeContainers(cmd *cobra.Command, named []string,
	_ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
	defer cancel()
	refs, err := a.host("").List(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]string, 0, len(refs))
	for _, r := range refs {
		if r.Name == oneLine(r.Name) && !slices.Contains(named, r.Name) {
			names = append(names, r.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
