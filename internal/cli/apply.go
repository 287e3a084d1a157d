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
	"dropcap/internal/host"
	"dropcap/internal/render"
)

type applyCommand struct {
	outputFlags
	planFlags
	changeFlags
	inPlaceFlags
	dryRun, all, noWatch bool
	probe, probeExec     string
	gate                 apply.Gate
}

func (a *app) apply() *cobra.Command {
	f := &applyCommand{}
	cmd := &cobra.Command{
		Use:   "apply PLAN.json|CONTAINER...",
		Short: "Change containers as planned, and roll back by itself what does not work",
		Long: `Apply a saved plan, or plan for the named containers, show that, ask, and apply it. An argument that ends in .json, has a slash in it
or is - (standard input) is a plan.

Each container in turn: a new one is made, stopped, and compared with the old one, which must differ in nothing but capabilities; then the old
one is stopped and put aside, and the new one started in its place. It has to keep running, not restart, become healthy if it has a
healthcheck, pass the probes, and go on so for the time of --soak. If it does not, the very same old container runs again. The old one is
retained until a backout or prune.

A plan is checked, not believed: every step is planned again, and refused if it would come out otherwise, or if the container has been
changed since. Nothing is ever granted.

--probe and --probe-exec take a program and its arguments, quoted as for a shell, but no shell runs them.
` + changeExitHelp,
		Example: `  sudo dropcap apply web
  sudo dropcap plan web --out plan.json && sudo dropcap apply plan.json --yes
  sudo dropcap apply web --probe 'curl -fsS http://127.0.0.1:8080/health' --soak 1m
  sudo dropcap apply web --probe-exec 'redis-cli ping'
  sudo dropcap apply web --dry-run              print each call to the engine, and do none`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completePlans,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runApply(cmd.Context(), args, f) },
	}
	fl := cmd.Flags()
	f.outputFlags.register(cmd, render.ChangeFormats(), "table")
	fl.Lookup("quiet").Usage = "show ids of changes only"
	f.planFlags.register(fl)
	f.changeFlags.register(fl)
	f.inPlaceFlags.register(fl)
	fl.BoolVar(&f.dryRun, "dry-run", false, "print each call to the engine that would be made, and change nothing")
	fl.BoolVar(&f.all, "all", false, "go on with the other containers after one was rolled back")
	fl.StringVar(&f.probe, "probe", "", "a program of this host that must succeed")
	fl.StringVar(&f.probeExec, "probe-exec", "", "a program in the container that must succeed")
	fl.DurationVar(&f.gate.Soak, "soak", 5*time.Second, "how long it must go on well")
	fl.DurationVar(&f.gate.Timeout, "timeout", 0, "how long it may take to be ready (default: by its healthcheck, at least 30s)")
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
			return usageError("for example "+p.flag+" 'curl -fsS http://127.0.0.1:8080/'", "cannot read the command of %s", p.flag)
		}
		*p.into = args
	}
	if f.gate.Soak < 0 || f.gate.Timeout < 0 || f.changeFlags.usual <= 0 {
		return usageError("for example --soak 10s", "cannot wait for less than no time")
	}
	if _, _, err := f.programs(); err != nil {
		return err
	}
	_, err := f.options()
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
	f.changeFlags.store = f.planFlags.store
	filed, err := a.filedPlan(ctx, args)
	if err != nil {
		return err
	}
	a.yes = f.yes
	ch, err := a.applying(ctx, f)
	if err != nil {
		return err
	}
	defer ch.Close()
	jobs, err := a.jobs(ctx, ch, args, filed, f)
	if err != nil {
		return err
	}
	if f.dryRun {
		return a.dryRun(ch, jobs)
	}
	if len(jobs) == 0 {
		fmt.Fprintln(a.err, "nothing to change")
		return nil
	}
	if !f.yes {
		if err := a.confirm(ctx, fmt.Sprintf("Change %s?", namesOf(jobs))); err != nil {
			return err
		}
	}
	watching, end := a.watch(ctx, f.noWatch, ch.Store)
	defer end()
	ch.Watcher = watching
	ctx, done := hangup(ctx)
	defer done()
	a.finished = true
	r, err := a.host(f.planFlags.store).Outcome(ch.Apply(ctx, jobs, f.all))
	a.printChanges(targets, r.Changes, f.outputFlags)
	return a.outcome(r, err)
}

// applying opens the session; a dry run does not end what is unfinished.
func (a *app) applying(ctx context.Context, f *applyCommand) (*host.Changing, error) {
	h := a.host(f.planFlags.store)
	if !f.dryRun {
		return h.Change(ctx, f.changeFlags.usual)
	}
	ch, err := h.ChangeOnly(ctx, f.changeFlags.usual)
	if err == nil {
		a.warnUnfinished(ctx, ch.Store)
	}
	return ch, err
}

// jobs plans, shows the plan, and gives what of it is to be done.
func (a *app) jobs(ctx context.Context, ch *host.Changing, names []string, filed *dropcap.Plan, f *applyCommand) ([]apply.Job, error) {
	var p planned
	var err error
	if filed != nil {
		p, err = a.planAsFiled(ctx, ch, filed, &f.planFlags)
	} else {
		p, err = a.makePlan(ctx, ch.Session, ch.Store, names, &f.planFlags)
	}
	if err != nil {
		return nil, err
	}
	if !f.yes && !f.dryRun {
		if err := render.Plan(a.err, "text", p.plan, a.options(f.outputFlags)); err != nil {
			return nil, err
		}
	}
	var jobs []apply.Job
	left := func(s dropcap.Step, why, hint string) {
		a.status = dropcap.Worst(a.status, dropcap.ExitIncomplete)
		a.warn(fmt.Errorf("%s is left as it is: %s%s", s.Container.Name, why, asHint(hint)))
	}
	for _, s := range p.plan.Steps {
		switch {
		case s.Refused != "":
			left(s, s.Refused, s.Hint)
		case s.Changes() && !together(jobs, s):
			j, err := f.job(ctx, ch, p, s)
			if err != nil {
				e := asError(err)
				left(s, e.Message, e.Hint)
				continue
			}
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// together tells whether a step is part of an earlier job: all containers of a service are changed at once at their source.
func together(jobs []apply.Job, s dropcap.Step) bool {
	return s.Strategy == dropcap.StrategySource && slices.ContainsFunc(jobs, func(j apply.Job) bool {
		return j.Step.Strategy == s.Strategy && j.Step.Workload == s.Workload && j.Step.Owner == s.Owner
	})
}

func (f *applyCommand) job(ctx context.Context, ch *host.Changing, p planned, s dropcap.Step) (j apply.Job, err error) {
	j = apply.Job{
		Plan: p.plan.ID, Host: p.plan.Host.ID, Step: s, Gate: f.gate, Original: p.original[s.Container.ID], Recipe: p.recipes[s.Container.ID],
	}
	switch s.Strategy {
	case dropcap.StrategySource:
		j.Source, err = sourcing{ch}.sourceJob(ctx, p.originals, s, f.discardLayer)
	case dropcap.StrategyInPlace:
		j.InPlace, err = inPlaceJob(ctx, p.originals, s, &f.inPlaceFlags)
	}
	return j, err
}

func asHint(hint string) string {
	if hint == "" {
		return ""
	}
	return " (" + hint + ")"
}

func namesOf(jobs []apply.Job) string {
	var names []string
	for _, j := range jobs {
		names = append(names, j.Step.Container.Name)
	}
	return strings.Join(names, ", ")
}

// dryRun prints what would be done. Bodies may hold secrets, so they are not shown.
func (a *app) dryRun(ch *host.Changing, jobs []apply.Job) error {
	for i := range jobs {
		list, err := ch.Effects(&jobs[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s\n", oneLine(jobs[i].Step.Container.Name))
		for _, e := range list {
			fmt.Fprintf(a.out, "  %-18s %s\n", e.Name, oneLine(callText(e, ch.Session.Version())))
		}
	}
	a.status = dropcap.Worst(a.status, pending(jobs))
	return nil
}

func pending(jobs []apply.Job) int {
	if len(jobs) > 0 {
		return dropcap.ExitFindings
	}
	return dropcap.ExitOK
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
