package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/file"
	"dropcap/internal/cli/flag"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

type planCommand struct {
	outputFlags
	flag.Plan
	out, reveal string
	details     bool
}

func (a *app) plan() *cobra.Command {
	f := &planCommand{}
	cmd := &cobra.Command{
		Use:   "plan [CONTAINER...]",
		Short: "Say what would be dropped, how, and what speaks against it",
		Long: `Decide, for every container or the named ones, which capabilities it loses and which
it keeps and on what evidence; in which way it would be changed, what that promises and how long it
takes; what is refused, and why. Nothing is changed, and a plan never grants. All containers are a
table with the reasons below it; of those that are named, or with --details, all is told.

Level cis drops NET_RAW unless evidence, policy or the container's own settings ask for it, and
what goes beyond the defaults once evidence says that it is not needed. Level least drops all that
neither evidence nor policy supports.

Printed commands are complete. What people put secrets in stands in a file that --reveal writes:
values of the environment, labels, options of drivers, health checks, and each argument that is not
the image's own.
` + planExitHelp,
		Example: `  sudo dropcap plan                               all containers, a row each
  sudo dropcap plan web                           all about one: what it keeps and why, the commands
  sudo dropcap plan web --out plan.json           to be applied later, if web is still the same then
  sudo dropcap plan --level least --filter label=tier=front
  sudo dropcap plan web --reveal web.env          also write the values that the printed command needs
  sudo dropcap plan --format 'table {{.Name}}\t{{.Drop}}\t{{.Refused}}'
  sudo dropcap plan -q                            ids of the containers that would be changed`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runPlan(cmd.Context(), args, f)
		},
	}
	f.outputFlags.register(cmd, render.PlanFormats(), "text")
	fl := cmd.Flags()
	f.Plan.Register(fl, defaultStore())
	fl.BoolVar(&f.details, "details", false,
		"tell all about each container, as where containers are named")
	fl.StringVar(&f.out, "out", "", "save the plan as JSON to this file, for apply")
	fl.StringVar(&f.reveal, "reveal", "",
		"write the values that the printed command of the one container needs to this file, mode "+
			"0600")
	ifPresent(fl, &f.IfPresent)
	completePlan(cmd)
	return cmd
}

const planExitHelp = `
Exit status: 0 nothing to change; 1 error; 2 usage; 3 changes pending; 6 this host can't (no
engine, no permission); 7 incomplete (something was refused or is not known, and nothing is
pending); 130 interrupted.`

func completePlan(cmd *cobra.Command) {
	for flag, words := range map[string][]string{
		"level": {"cis", "least"}, "accept": {"low"}, "strategy": {"recreate", "in-place", "source",
			"manual"},
	} {
		cobra.CheckErr(cmd.RegisterFlagCompletionFunc(flag,
			cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
	}
}

func (a *app) runPlan(ctx context.Context, names []string, f *planCommand) error {
	targets, err := f.targets(render.CheckPlanFormat, f.out)
	if err != nil {
		return err
	}
	if f.out != "" && f.reveal != "" && sameFile([]string{f.out, f.reveal}) {
		return usageError("give each a file of its own",
			"cannot write the plan and the values to one file: %s", f.out)
	}
	if _, err := f.Options(); err != nil {
		return err
	}
	a.warnQuiet(f.outputFlags)
	f.EnvFile = f.reveal
	q, err := a.planRequest(ctx, names, &f.Plan)
	if err != nil {
		return err
	}
	p, err := a.host(f.Store).Plan(ctx, q)
	if err != nil {
		return err
	}
	if err := f.write(p); err != nil {
		return err
	}
	a.status = p.Plan.Status()
	return a.print(targets, func(w io.Writer, format string, o render.Options) error {
		o.Details = f.details || len(names) > 0
		return render.Plan(w, format, p.Plan, o)
	}, f.outputFlags)
}

// planRequest returns what the flags ask of the host.
func (a *app) planRequest(ctx context.Context, names []string,
	f *flag.Plan) (host.PlanRequest, error) {
	q := host.PlanRequest{DiscardLayer: f.DiscardLayer, CarryLimit: f.CarryLimit(),
		EnvFile: f.EnvFile}
	var err error
	if q.Options, err = f.Options(); err != nil {
		return q, err
	}
	if q.Policy, err = a.loadPolicy(ctx, f.Policy, f.Level); err != nil {
		return q, err
	}
	q.Names, q.IfPresent = names, f.IfPresent
	q.Filters, q.Owners, err = f.Filters()
	return q, err
}

// write saves the plan and reveals the values, where that was asked for.
func (f *planCommand) write(p host.Planned) error {
	if f.reveal != "" {
		if err := reveal(p, f.reveal); err != nil {
			return err
		}
	}
	if f.out == "" {
		return nil
	}
	return file.Write(f.out, func(w io.Writer) error {
		return render.Plan(w, "json", p.Plan, render.Options{})
	})
}

// reveal writes what the one container's printed command needs.
func reveal(p host.Planned, path string) error {
	contents, err := p.Reveal(path)
	switch {
	case host.CodeOf(err) == dropcap.CodeUsage && err != nil:
		return err
	case file.IsStream(path):
		return usageError("name a file", "cannot write secrets to %s: it is no file", path)
	case err != nil:
		return err
	}
	return file.Write(path, func(w io.Writer) error {
		_, err := w.Write(contents)
		return err
	})
}
