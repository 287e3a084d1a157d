package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/cli/flag"
	"dropcap/internal/fleet"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/render"
	"dropcap/internal/wire"
)

type fleetChangeCommand struct {
	flag.Fleet
	outputFlags
	rules      dropcap.FleetRules
	waves      string
	probe      string
	soak       time.Duration
	hostSoak   time.Duration
	all, yes   bool
	anyVersion bool
	maxErrors  int
}

func (f *fleetChangeCommand) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	f.Fleet.Register(fl, fleetStore(), false)
	fl.BoolVar(&f.PrintAWS, "print-aws", false,
		"print the aws commands that would send the same, and send nothing")
	f.outputFlags.register(cmd, render.FleetFormats("apply"), "table")
	noQuiet(cmd)
	fl.StringVar(&f.waves, "waves", "",
		"hosts after which to look at the gate, as numbers or percentages of all, cumulated: "+
			"1,10%,100% (default: all at once)")
	fl.IntVar(&f.rules.MaxConcurrency, "max-concurrency", 50,
		"hosts that are asked at once; 0: no limit")
	fl.IntVar(&f.maxErrors, "max-errors", 0, "hosts that may fail before nothing more is sent")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
}

// read fills the rules from the flags.
func (f *fleetChangeCommand) read() error {
	var err error
	f.rules.SoakSeconds, f.rules.MaxErrors = flag.WholeSeconds(f.soak), f.maxErrors
	if f.rules.Waves, err = fleet.ParseWaves(f.waves); err != nil {
		return err
	}
	if _, err := fleet.ParseWindow(f.rules.Window); err != nil {
		return err
	}
	args, ok := apply.Split(f.probe)
	if !ok {
		return usageError("for example --probe 'curl -fsS https://shop.example/health'",
			"cannot read the command of --probe")
	}
	if len(args) > 0 {
		if _, err := exec.LookPath(args[0]); err != nil {
			return usageError("it is a program of this machine, with its arguments",
				"cannot run the probe %q: %w", args[0], host.Cause(err))
		}
	}
	f.rules.Probe = args
	if f.rules.MaxConcurrency < 0 || f.rules.MaxErrors < 0 || f.soak < 0 || f.hostSoak < 0 {
		return usageError("--max-concurrency, --max-errors, --soak and --host-soak are 0 or more",
			"cannot use a negative number")
	}
	return nil
}

func (a *app) fleetApply() *cobra.Command {
	f := &fleetChangeCommand{}
	cmd := &cobra.Command{
		Use:   "apply RUN",
		Short: "Apply the plans of a run of fleet plan, in waves with a gate between",
		Long: `Send each host the id and digest of the plan that it made and kept, wave by wave.
Each host applies it as "dropcap apply" does: compared, gated, rolled back by itself. After each
wave, the last too, the gate demands: no more than --max-errors hosts have failed; then, after the
soak, the probe succeeds, and an audit of the wave's hosts has no new finding and whatever ran
runs. A gate that fails stops the run (status 1; 4 if changes were rolled back on a host, 5 if a
person is needed); with --auto-backout every host that was changed in it is backed out (4; where
that fails, as without, or 5 if a person is needed there).

The controller may be killed at any moment: "dropcap fleet resume RUN" goes on, and no host does
anything twice.
` + fleetExitHelp,
		Example: `  dropcap fleet apply 1f0c5a9e77b2 --waves 1,10%,100% --soak 5m --auto-backout
  dropcap fleet apply 1f0c5a9e77b2 --waves 1 --approve --window 22:00-04:00
  dropcap fleet apply 1f0c5a9e77b2 --probe 'curl -fsS https://shop.example/health' --yes`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRuns(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runFleetApply(cmd, args[0], f)
		},
	}
	f.register(cmd)
	fl := cmd.Flags()
	fl.DurationVar(&f.soak, "soak", 0, "how long a wave's hosts must run so before the next wave")
	fl.DurationVar(&f.hostSoak, "host-soak", 5*time.Second,
		"how long each container must go on well on its host")
	fl.StringVar(&f.probe, "probe", "",
		"a program of this machine that must succeed after each wave; no shell runs it; "+
			"DROPCAP_HOSTS names the wave's hosts")
	fl.BoolVar(&f.rules.Approve, "approve", false, "ask before each wave but the first")
	fl.StringVar(&f.rules.Window, "window", "",
		"time of day in which waves may begin, local: 22:00-04:00")
	fl.BoolVar(&f.rules.AutoBackout, "auto-backout", false,
		"back out every host of this run when a gate fails")
	fl.BoolVar(&f.anyVersion, "any-version", false,
		"go on although hosts run another version of dropcap than this machine")
	fl.BoolVar(&f.all, "all", false,
		"each host goes on with its other containers after one was rolled back")
	return cmd
}

func (a *app) runFleetApply(cmd *cobra.Command, id string, f *fleetChangeCommand) error {
	ctx := cmd.Context()
	if f.rules.Approve && !isTerminal(a.err) {
		return usageError("leave out --approve, or give it a terminal",
			"cannot ask before each wave without a terminal")
	}
	c, of, targets, err := a.changeOf(cmd, id, "plan", f)
	if err != nil {
		return err
	}
	defer c.close()
	of, plans, err := c.Ledger.Run(ctx, of.ID)
	if err != nil {
		return err
	}
	nodes, kept, skipped := fleet.Pending(plans, c.places)
	for _, h := range skipped {
		a.status = dropcap.Worst(a.status, dropcap.ExitIncomplete)
		a.warn(fmt.Errorf("%s is left as it is: %s", h.Host, h.Message))
	}
	if len(nodes) == 0 {
		fmt.Fprintln(a.err, "nothing to change")
		return nil
	}
	if !f.anyVersion {
		f.rules.Version = version()
	}
	run := dropcap.FleetRun{Verb: "apply", Of: of.ID, Targets: []string{of.ID}, Rules: f.rules,
		Args: wire.Words("apply", wire.Args{Soak: &f.hostSoak, All: f.all})}
	if !f.PrintAWS && !f.yes {
		if err := a.confirm(ctx, fmt.Sprintf("Change containers on %s, as run %s planned?",
			printable.Count(len(nodes), "host"), of.ID)); err != nil {
			return err
		}
	}
	run, hosts, err := c.Start(ctx, run, nodes, func(host string) []string {
		return wire.Words("apply", wire.Args{Plans: []wire.Plan{kept[host]}})
	})
	if err != nil {
		return err
	}
	if f.PrintAWS {
		return c.printAWS(run, hosts)
	}
	unlock, err := c.store.LockRun(run.ID)
	if err != nil {
		return err
	}
	defer unlock()
	fmt.Fprintf(a.err, "run %s: %s in %s\n", run.ID, printable.Count(len(nodes), "host"),
		printable.Count(len(run.Waves), "wave"))
	return c.changed(ctx, run, hosts, targets, &f.outputFlags)
}

// changed does a run that changes something, and reports the result.
func (c *control) changed(ctx context.Context, run dropcap.FleetRun, hosts []dropcap.FleetHost,
	targets []target, out *outputFlags) error {
	run, hosts, err := c.finish(ctx, run, hosts, targets, out)
	if err != nil {
		return err
	}
	status, err := fleet.BackoutStatus(ctx, c.Ledger, run)
	if err != nil {
		return err
	}
	c.app.status = dropcap.Worst(c.app.status, status)
	return c.app.ended(run, hosts)
}

// sent reports whether any host may have received its request.
func sent(hosts []dropcap.FleetHost) bool {
	return slices.ContainsFunc(hosts, func(h dropcap.FleetHost) bool { return h.Sent > 0 })
}

// ended returns the error of a stopped run.
func (a *app) ended(run dropcap.FleetRun, hosts []dropcap.FleetHost) error {
	switch run.State {
	case dropcap.RunBackedOut:
		return dropcap.Errorf(dropcap.CodeRolledBack, "`dropcap fleet status "+run.ID+
			"` tells each host",
			"cannot finish run %s: %s; every host that it changed was backed out", run.ID,
			run.Because)
	case dropcap.RunStopped:
		code := dropcap.CodeError
		switch a.status { // of the hosts' own, the worst
		case dropcap.ExitPerson:
			code = dropcap.CodePerson
		case dropcap.ExitRolledBack:
			code = dropcap.CodeRolledBack
		}
		hint := "`dropcap fleet backout " + run.ID + "` takes back what it changed"
		if !sent(hosts) {
			hint = "nothing was sent to any host; `dropcap fleet resume " + run.ID + "` tries again"
		}
		return dropcap.Errorf(code, hint, "cannot finish run %s: %s", run.ID, run.Because)
	}
	return nil
}

// changeOf opens a session for a change by a run of a verb, and gives that run.
func (a *app) changeOf(cmd *cobra.Command, id, verb string,
	f *fleetChangeCommand) (*control, dropcap.FleetRun, []target, error) {
	if err := f.read(); err != nil {
		return nil, dropcap.FleetRun{}, nil, err
	}
	targets, err := f.outputFlags.targets(checkFleet("apply"))
	if err != nil {
		return nil, dropcap.FleetRun{}, nil, err
	}
	of, err := remembered(cmd.Context(), &f.Fleet, cmd.Flags(), id, verb)
	if err != nil {
		return nil, of, nil, err
	}
	c, err := a.control(cmd.Context(), &f.Fleet)
	return c, of, targets, err
}

// probe runs a program of the controller after a wave; DROPCAP_HOSTS names the wave's hosts.
func probe(ctx context.Context, args, hosts []string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	result, err := host.RunProgram(ctx,
		dropcap.Run{Args: args, Env: append(os.Environ(), "DROPCAP_HOSTS="+strings.Join(hosts,
			" "))})
	switch {
	case err != nil:
		return err
	case result.Status != 0:
		return fmt.Errorf("%s ended with %d", args[0], result.Status)
	}
	return nil
}
