package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/flag"
	"dropcap/internal/cli/sdnotify"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

type hardenCommand struct {
	flag.Harden
	outputFlags
	store, policy                string
	all, service, detach, agreed bool
}

func (a *app) harden() *cobra.Command {
	f := &hardenCommand{}
	cmd := &cobra.Command{
		Use:   "harden [CONTAINER|WORKLOAD...]",
		Short: "Take workloads to their least capabilities over days, by itself",
		Long: `Take workloads from what they hold to what they need, step by step and by itself: learn
what each needs for the time of --learn, restarting it once in the window where its start was not
seen; try without the rest for the time of --trial, while the kernel denies it and whatever is
missed comes back at once; change it in the window, through the gate of "dropcap apply"; and watch
it for the time of --watch. If something is denied then that decides something, or it becomes
unwell, the change is backed out, and that is said.

Where a service runs (systemctl enable --now dropcap-harden) this only tells it what to do, and it
carries on over reboots. Where none runs, this command itself carries on until all is done, or
Ctrl-C, which leaves the rest for later; --detach leaves it to a service to be started. Nothing that
was learned or tried is lost between the two.

A host whose kernel cannot deny says so, and needs evidence of high confidence in place of a trial.
A new image begins anew. Nothing is ever granted. "dropcap harden status" tells where each is, what
it waits for and what comes next; "dropcap history" what was changed, and "dropcap backout" takes it
back. docs/harden.md has it all.
` + hardenExit,
		Example: `  sudo dropcap harden web --window 02:00-05:00
  sudo dropcap harden --all --learn 7d --trial 2d --approve
  sudo dropcap harden status
  sudo dropcap harden approve web
  sudo dropcap harden stop web
  sudo dropcap harden --service`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(args); err != nil {
				return err
			}
			if f.service {
				return a.hardenService(cmd.Context(), f)
			}
			return a.runHarden(cmd.Context(), args, f)
		},
	}
	fl := cmd.Flags()
	f.Harden.Register(fl)
	f.register(cmd, render.HardeningFormats(), "table")
	fl.Lookup("quiet").Usage = "show workloads only"
	fl.BoolVar(&f.all, "all", false, "all workloads that run")
	fl.BoolVarP(&f.detach, "detach", "d", false, "leave it to a service that is started later")
	fl.BoolVar(&f.service, "service", false,
		"run as a daemon: carry on all that was asked for here or by the policy")
	fl.StringVar(&f.policy, "policy", "", "policy file (default: as for audit)")
	fl.BoolVarP(&f.agreed, "yes", "y", false, "do not ask")
	cmd.PersistentFlags().StringVar(&f.store, "store", defaultStore(), "the folder of the store")
	cmd.AddCommand(a.hardenStatus(&f.store))
	cmd.AddCommand(a.hardenWishes(&f.store)...)
	return cmd
}

const hardenExit = `
Exit status: 0 done, or handed to the service; 1 error; 2 usage; 5 putting something back failed: a
person is needed; 6 this host can't (no engine, not root); 7 something is held up, or was left for
later; 130 interrupted before anything was asked for.`

func (f *hardenCommand) check(args []string) error {
	switch {
	case f.service && (len(args) > 0 || f.all || f.detach):
		return usageError("`dropcap harden --service` alone; name workloads without it",
			"cannot combine --service with what names workloads")
	case !f.service && len(args) == 0 && !f.all:
		return usageError("name containers or workloads; or --all",
			"cannot harden: nothing says what")
	case f.all && len(args) > 0:
		return usageError("one of them", "cannot combine --all with names")
	}
	return f.Harden.Check()
}

func (a *app) runHarden(ctx context.Context, names []string, f *hardenCommand) error {
	targets, err := f.targets(render.CheckHardeningFormat)
	if err != nil {
		return err
	}
	policy, err := a.loadPolicy(ctx, f.policy, "")
	if err != nil {
		return err
	}
	a.yes = f.agreed
	h := a.host(f.store)
	elsewhere := h.HardeningElsewhere()
	doc, err := h.Harden(ctx, host.HardenRequest{Names: names, All: f.all, Settings: f.Settings})
	if err != nil {
		return err
	}
	switch {
	case elsewhere:
		fmt.Fprintln(a.err, "the service carries this on; `dropcap harden status` tells how far it is")
	case f.detach:
		fmt.Fprintln(a.err, "nothing is done before a service runs: "+
			"`systemctl enable --now dropcap-harden`, or `dropcap harden --service`")
	default:
		return a.hardenHere(ctx, h, doc, policy, targets, f)
	}
	return a.printHardenings(targets, doc, f.outputFlags)
}

// hardenHere carries on in this process until what was asked for is done.
func (a *app) hardenHere(ctx context.Context, h *host.Host, doc dropcap.Hardenings,
	policy dropcap.Policy, targets []target, f *hardenCommand) error {
	var workloads []string
	for _, one := range doc.Hardenings {
		workloads = append(workloads, one.Workload)
	}
	if len(workloads) == 0 {
		return a.printHardenings(targets, doc, f.outputFlags)
	}
	fmt.Fprintln(a.err, "no service runs, so this goes on here; Ctrl-C leaves the rest for later")
	a.finished = true
	o := &hardenHeard{observer: observer{a}}
	err := a.hostFor(f.store, o).HardenService(ctx, host.HardenServiceRequest{Names: workloads,
		Policy: policy})
	if err != nil {
		return err
	}
	now, err := h.Hardenings(context.WithoutCancel(ctx), workloads)
	if err != nil {
		return err
	}
	left := func(one dropcap.Hardening) bool { return one.State != dropcap.HardenDone }
	if slices.ContainsFunc(now.Hardenings, left) {
		a.status = dropcap.ExitIncomplete
	}
	if ctx.Err() != nil {
		fmt.Fprintln(a.err, "left for later: `dropcap harden "+strings.Join(workloads, " ")+
			"`, or a service, goes on")
	}
	return a.printHardenings(targets, now, f.outputFlags)
}

func (a *app) printHardenings(list []target, doc dropcap.Hardenings, f outputFlags) error {
	return a.print(list, func(w io.Writer, format string, o render.Options) error {
		return render.Hardenings(w, format, doc, o)
	}, f)
}

func (a *app) hardenService(ctx context.Context, f *hardenCommand) error {
	policy, err := a.loadPolicy(ctx, f.policy, "")
	if err != nil {
		return err
	}
	a.finished = true
	o := &hardenHeard{observer: observer{a}, service: true}
	a.say("starting")
	err = a.hostFor(f.store, o).HardenService(ctx, host.HardenServiceRequest{Policy: policy})
	sdnotify.Send("STOPPING=1")
	return err
}

// hardenHeard logs what hardening does, and reports to systemd.
type hardenHeard struct {
	observer
	service  bool
	reported time.Time
}

func (s *hardenHeard) Progress(p host.Progress) {
	switch p := p.(type) {
	case host.HardenBegun:
		if s.service {
			s.say("hardening")
		}
		sdnotify.Send("READY=1\nSTATUS=hardening")
	case host.HardenRound:
		s.alive(p)
	case host.LogLine:
		s.say("%s", p.Text)
	default:
		s.observer.Progress(p)
	}
}

// alive tells systemd's watchdog once a minute that it goes on, and how far everything is.
func (s *hardenHeard) alive(p host.HardenRound) {
	if time.Since(s.reported) < time.Minute {
		return
	}
	s.reported = time.Now()
	var parts []string
	for state, n := range p.States {
		parts = append(parts, fmt.Sprintf("%d %s", n, state))
	}
	slices.Sort(parts)
	sdnotify.Send("WATCHDOG=1\nSTATUS=" + strings.Join(parts, ", "))
}
