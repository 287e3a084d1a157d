package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/cli/file"
	"dropcap/internal/cli/flag"
	"dropcap/internal/cli/terminal"
	"dropcap/internal/host"
	"dropcap/internal/plan"
	"dropcap/internal/render"
)

type applyCommand struct {
	outputFlags
	flag.Plan
	flag.Change
	flag.InPlace
	dryRun, noWatch  bool
	all, ready       bool
	probe, probeExec string
	gate             apply.Gate
}

func (a *app) apply() *cobra.Command {
	f := &applyCommand{}
	cmd := &cobra.Command{
		Use:   "apply [PLAN.json|CONTAINER...]",
		Short: "Change containers as planned, and roll back by itself what does not work",
		Long: `Apply a saved plan, or plan for the named containers, show that, ask, and apply it.
An argument that ends in .json, has a slash in it or is - (standard input) is a plan. Without an
argument, on a terminal, it offers all that is ready; --all-ready does all that is not refused, one
after the other, and a container that is rolled back does not stop the others.

Each container in turn: a new one is made, stopped, and compared with the old one, which must
differ in nothing but capabilities. What the old one has written into its own layer is carried into
the new one, most of it while the old one runs. Then the old one is stopped and put aside, the rest
is carried, both layers are proven to be the same, and the new one is started in its place. It has
to keep running, not restart, become healthy if it has a healthcheck, pass the probes, and go on so
for the time of --soak. If it does not, the very same old container runs again. The old one is
retained until a backout or prune.

A plan is checked, not believed: every step is planned again, and refused if it would come out
otherwise, or if the container has been changed since. Nothing is ever granted.

--probe and --probe-exec take a program and its arguments, quoted as for a shell, but no shell runs
them.
` + changeExitHelp,
		Example: `  sudo dropcap apply web
  sudo dropcap apply                            what is ready at level cis: shows it, and asks
  sudo dropcap apply --all-ready --level least --yes
  sudo dropcap plan web --out plan.json && sudo dropcap apply plan.json --yes
  sudo dropcap apply web --probe 'curl -fsS http://127.0.0.1:8080/health' --soak 1m
  sudo dropcap apply web --probe-exec 'redis-cli ping'
  sudo dropcap apply web --dry-run              print each call to the engine, and do none`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completePlans,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runApply(cmd.Context(), args, f)
		},
	}
	fl := cmd.Flags()
	f.outputFlags.register(cmd, render.ChangeFormats(), "table")
	fl.Lookup("quiet").Usage = "show ids of changes only"
	f.Plan.Register(fl, defaultStore())
	f.Change.Register(fl, defaultStore())
	f.InPlace.Register(fl)
	fl.BoolVar(&f.dryRun, "dry-run", false,
		"print each call to the engine that would be made, and change nothing")
	fl.BoolVar(&f.all, "all", false, "go on with the other containers after one was rolled back")
	fl.BoolVar(&f.ready, "all-ready", false,
		"change all that is not refused, also after one was rolled back")
	fl.StringVar(&f.probe, "probe", "", "a program of this host that must succeed")
	fl.StringVar(&f.probeExec, "probe-exec", "", "a program in the container that must succeed")
	fl.DurationVar(&f.gate.Soak, "soak", 5*time.Second, "how long it must go on well")
	fl.DurationVar(&f.gate.Timeout, "timeout", 0,
		"how long it may take to be ready (default: by its healthcheck, at least 30s)")
	fl.BoolVar(&f.noWatch, "no-watch", false, "do not watch for denied capability checks")
	completePlan(cmd)
	return cmd
}

func (f *applyCommand) check() error {
	for _, p := range []struct {
		flag, line string
		into       *[]string
	}{{"--probe", f.probe, &f.gate.Probe}, {"--probe-exec", f.probeExec, &f.gate.ProbeExec}} {
		args, ok := apply.Split(p.line)
		if !ok || p.line != "" && (len(args) == 0 || args[0] == "") {
			return usageError("for example "+p.flag+" 'curl -fsS http://127.0.0.1:8080/'",
				"cannot read the command of %s", p.flag)
		}
		*p.into = args
	}
	if f.gate.Soak < 0 || f.gate.Timeout < 0 || f.CallTimeout <= 0 {
		return usageError("for example --soak 10s", "cannot wait for less than no time")
	}
	if _, _, err := f.Programs(); err != nil {
		return err
	}
	_, err := f.Options()
	return err
}

func (a *app) runApply(ctx context.Context, args []string, f *applyCommand) error {
	targets, err := f.targets(render.CheckChangeFormat)
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	if err := a.offered(args, f); err != nil {
		return err
	}
	q, err := a.applyRequest(ctx, args, f)
	if err != nil {
		return err
	}
	ctx, done := hangup(ctx)
	defer done()
	a.yes = f.Yes
	if f.dryRun {
		return a.dryRun(ctx, q, f)
	}
	a.showPlan, a.details = !f.Yes, len(q.Names) > 0
	r, err := a.host(f.Plan.Store).Apply(ctx, q)
	if r.Changes.Schema != "" {
		a.printChanges(targets, r.Changes, f.outputFlags)
	}
	return a.outcome(r, err)
}

// offered makes apply without an argument an offer of all that is ready, where somebody is there to
// be asked.
func (a *app) offered(args []string, f *applyCommand) error {
	if len(args) > 0 || f.ready {
		return nil
	}
	if f.Yes || !f.dryRun && !terminal.Is(a.err) {
		return usageError("name containers or a plan; or --all-ready changes all that is not "+
			"refused",
			"cannot apply: nothing says what")
	}
	f.ready = true
	return nil
}

func (a *app) applyRequest(ctx context.Context, args []string,
	f *applyCommand) (q host.ApplyRequest, err error) {
	saved, err := a.savedPlan(ctx, args)
	if err != nil {
		return q, err
	}
	names := args
	if saved != nil && f.ready {
		return q, usageError("a plan says itself what is changed; --all goes on after a rollback",
			"cannot use --all-ready together with a plan")
	}
	if saved != nil {
		names = nil
		if f.Level == "" {
			f.Level = string(saved.Policy.Level)
		}
	}
	q = host.ApplyRequest{Saved: saved, Gate: f.gate, All: f.all, Ready: f.ready,
		NoWatch:     f.noWatch,
		CallTimeout: f.CallTimeout}
	if q.PlanRequest, err = a.planRequest(ctx, names, &f.Plan); err != nil {
		return q, err
	}
	q.AskCarry = isTerminal(a.err) && !f.Yes && !f.dryRun
	q.InPlace.StopAll = f.StopAll
	q.InPlace.Stop, q.InPlace.Start, err = f.Programs()
	return q, err
}

// savedPlan reads the plan that the arguments name; nil if they name containers.
func (a *app) savedPlan(ctx context.Context, args []string) (*dropcap.Plan, error) {
	isFile := func(s string) bool {
		return s == "-" || strings.HasSuffix(s, ".json") || strings.Contains(s, "/")
	}
	if !slices.ContainsFunc(args, isFile) {
		return nil, nil
	}
	if len(args) > 1 {
		return nil, usageError("apply one plan at a time, or name containers only",
			"cannot apply a plan together with something else: %s", strings.Join(args, " "))
	}
	if args[0] != "-" {
		if err := host.TrustPlan(args[0]); err != nil {
			return nil, err
		}
	}
	text, err := file.Read(ctx, a.in, args[0], file.MostDocument)
	if err != nil {
		return nil, err
	}
	p, err := plan.Parse(file.Name(a.in, args[0]), text)
	return &p, err
}

// dryRun prints what would be done. Bodies may hold secrets, so they are not shown.
func (a *app) dryRun(ctx context.Context, q host.ApplyRequest, f *applyCommand) error {
	list, api, r, err := a.host(f.Plan.Store).Rehearse(ctx, q)
	if err != nil {
		return err
	}
	for _, one := range list {
		fmt.Fprintf(a.out, "%s\n", oneLine(one.Container))
		for _, e := range one.Effects {
			fmt.Fprintf(a.out, "  %-18s %s\n", e.Name, oneLine(callText(e, api)))
		}
	}
	if len(list) > 0 {
		a.status = dropcap.Worst(a.status, dropcap.ExitFindings)
	}
	return a.outcome(r, nil)
}

func callText(e dropcap.Effect, version string) string {
	if e.Call() == nil {
		return e.Says
	}
	if e.Call().API != "" {
		version = e.Call().API
	}
	text := e.Call().Method + " /v" + version + e.Call().Path
	join := "?"
	for _, k := range slices.Sorted(maps.Keys(e.Call().Query)) {
		text += join + k + "=" + e.Call().Query[k]
		join = "&"
	}
	return text
}

// completePlans offers containers, and files where none has such a name: apply takes either.
func (a *app) completePlans(cmd *cobra.Command, args []string,
	typed string) ([]string, cobra.ShellCompDirective) {
	names, _ := a.completeContainers(cmd, args, typed)
	return names, cobra.ShellCompDirectiveDefault
}
