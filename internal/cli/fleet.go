package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/cli/flag"
	"dropcap/internal/cli/terminal"
	"dropcap/internal/fleet"
	"dropcap/internal/printable"
	"dropcap/internal/render"
	"dropcap/internal/store"
	"dropcap/internal/wire"
)

func (a *app) fleet() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "The same verbs on many hosts, through AWS Systems Manager",
		Long: `Audit, learn, plan, apply and back out on many hosts. Systems Manager's Run Command
carries the requests; each host does a request once and keeps a receipt of it, and only receipts
are believed. Changes go in waves with a gate between, and can be taken back as a whole.

Credentials and regions come from where the aws command has them: the environment, ~/.aws, the
instance's role. Nothing listens on the hosts. "dropcap fleet lab" starts a double of AWS with a
few hosts on this machine, to try all this without an account.`,
		Example: `  eval "$(dropcap fleet lab --nodes 3)"
  dropcap fleet ls --targets all
  dropcap fleet audit --targets tag:role=web --region eu-west-1 --region us-east-1
  dropcap fleet plan --targets tag:role=web
  dropcap fleet apply RUN --waves 1,10%,100% --soak 5m --auto-backout
  dropcap fleet backout RUN`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	a.engine.Register(cmd.PersistentFlags()) // taken here too, and not shown: no engine is asked
	cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = true })
	cmd.AddCommand(a.fleetList(), a.fleetInstall(), a.fleetUninstall(), a.fleetAudit(),
		a.fleetLearn(), a.fleetPlan(), a.fleetApply(), a.fleetBackout(),
		a.fleetEvidence(), a.fleetHistory(), a.fleetStatus(), a.fleetResume(), a.fleetRuns(),
		a.fleetPrune(), a.fleetLab())
	for _, sub := range cmd.Commands() {
		sub.PreRunE = flag.NoneEmpty
		for _, below := range sub.Commands() {
			below.PreRunE = flag.NoneEmpty
		}
	}
	return cmd
}

const fleetExitHelp = `

Exit status: 0 done, nothing to say; 1 error; 2 usage; 3 findings, or changes pending; 4 changes
were rolled back; 5 a person is needed on some host; 6 this host can't; 7 incomplete (a host could
not be asked, or refused something); 130 interrupted: "dropcap fleet resume RUN" goes on.`

// noQuiet hides --quiet where it has no effect.
func noQuiet(cmd *cobra.Command) { cobra.CheckErr(cmd.Flags().MarkHidden("quiet")) }

// remembered returns a run in the store, and reaches hosts as it did; verb is its required verb,
// empty: any.
func remembered(ctx context.Context, f *flag.Fleet, fl *pflag.FlagSet, id,
	verb string) (dropcap.FleetRun, error) {
	s, err := store.Open(f.Store)
	if err != nil {
		return dropcap.FleetRun{}, err
	}
	defer s.Close()
	run, _, err := fleet.FindRun(ctx, s, id, verb)
	if err == nil {
		f.As(run, fl, verb == "")
	}
	return run, err
}

// fleetStore is where a controller keeps its runs: it need not be root.
func fleetStore() string {
	if os.Geteuid() == 0 || os.Getenv("DROPCAP_STORE") != "" {
		return defaultStore()
	}
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		base = filepath.Join(os.Getenv("HOME"), ".local", "state")
	}
	return filepath.Join(base, "dropcap")
}

// control is a session with a fleet.
type control struct {
	*fleet.Engine
	app    *app
	client *aws.Client
	store  *store.Store
	places []dropcap.Place
}

func (c *control) close() { c.store.Close() }

// control opens a session.
func (a *app) control(ctx context.Context, f *flag.Fleet) (*control, error) {
	if f.Delivery < 30*time.Second || f.Execution < 5*time.Second || f.Patience <= 0 ||
		f.Answer <= 0 {
		return nil, usageError("--delivery-timeout is 30s or more, --execution-timeout 5s or "+
			"more, --patience and --answer-timeout above 0", "cannot wait for so short a time")
	}
	if f.Rate == 0 {
		return nil, usageError("it is above 0 and at most 1000", "cannot ask 0 times a second")
	}
	client, err := aws.Open(ctx, aws.Options{Regions: f.Regions, Profile: f.Profile, Roles: f.Roles,
		Rate: f.Rate})
	if err != nil {
		return nil, err
	}
	places, err := client.Places(ctx)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(f.Store)
	if err != nil {
		return nil, err
	}
	c := &control{app: a, client: client, store: s, places: places}
	c.Engine = &fleet.Engine{
		Carrier: client, Clock: aws.Wall{}, Ledger: s,
		Transport: fleet.Transport{Shell: f.Shell, Bucket: f.Bucket, Prefix: f.Prefix},
		Pace: fleet.Pace{Delivery: f.Delivery, Execution: f.Execution, Patience: f.Patience,
			Answer: f.Answer},
		Reach: f.Reach(),
		Tell:  terminal.Fleet(a.err),
		Ask:   a.confirm,
		Probe: probe,
	}
	if f.PrintAWS {
		c.Ledger = unkept{s}
	}
	return c, nil
}

// unkept is the store of runs of which only the commands are printed: one that was kept would be
// taken for an unfinished one, and resumed.
type unkept struct{ fleet.Ledger }

func (unkept) SaveRun(context.Context, dropcap.FleetRun) error              { return nil }
func (unkept) SaveHosts(context.Context, string, []dropcap.FleetHost) error { return nil }

// Go is the engine's, in as much memory as so many hosts need: else one that sends the most that it
// may takes twice that.
func (c *control) Go(ctx context.Context, run dropcap.FleetRun, hosts []dropcap.FleetHost,
	known []dropcap.Place) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(fleet.MemoryFor(len(hosts)))
	}
	return c.Engine.Go(ctx, run, hosts, known)
}

// find resolves the targets.
func (c *control) find(ctx context.Context,
	f *flag.Fleet) ([]dropcap.Node, []dropcap.HostFailure, error) {
	t, err := fleet.ParseTargets(f.Targets)
	if err != nil {
		return nil, nil, err
	}
	nodes, failures, err := c.Carrier.Find(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	if len(nodes) == 0 && len(failures) == 0 {
		return nil, nil, dropcap.Errorf(dropcap.CodeIncomplete,
			"`dropcap fleet ls --targets all` shows what there is; is the region right?",
			"cannot find any managed node for --targets %s", oneLine(strings.Join(f.Targets, " ")))
	}
	return nodes, failures, nil
}

// interrupted says what an interrupt leaves behind.
func interrupted(ctx context.Context, run dropcap.FleetRun, err error) error {
	if err == nil || ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return dropcap.Errorf(dropcap.CodeInterrupt, "`dropcap fleet resume "+run.ID+"` goes on",
		"cannot finish run %s: interrupted; hosts go on with what they were asked already", run.ID)
}

// fleetLook has the flags of a command that asks each host once.
type fleetLook struct {
	flag.Look
	outputFlags
}

// look returns a command that asks each host once.
func (a *app) look(verb string, cmd *cobra.Command, register func(*cobra.Command, *fleetLook),
	do func(context.Context, *control, *fleetLook) error) *cobra.Command {
	f := &fleetLook{}
	cmd.Long += fleetExitHelp
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.Check(); err != nil {
			return err
		}
		ctx := cmd.Context()
		c, err := a.control(ctx, &f.Fleet)
		if err != nil {
			return err
		}
		defer c.close()
		return do(ctx, c, f)
	}
	f.Fleet.Register(cmd.Flags(), fleetStore(), true)
	f.outputFlags.register(cmd, render.FleetFormats(verb), render.FleetFormats(verb)[0])
	if verb == "audit" {
		cmd.Flags().Lookup("quiet").Usage = "show node and container ids only; wins over " +
			"--format, as in docker"
	} else {
		noQuiet(cmd)
	}
	register(cmd, f)
	return cmd
}

// start begins a run on the targets. Failures are of nodes that could not be found.
func (c *control) start(ctx context.Context, f *flag.Fleet, run dropcap.FleetRun,
	extra func(string) []string) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	nodes, failures, err := c.find(ctx, f)
	if err != nil {
		return run, nil, err
	}
	run.Targets = f.Targets
	run, hosts, err := c.Start(ctx, run, nodes, extra)
	if err != nil {
		return run, hosts, err
	}
	for _, x := range failures {
		hosts = append(hosts, dropcap.FleetHost{Host: x.Host, Failure: &x})
	}
	return run, hosts, c.Ledger.SaveHosts(ctx, run.ID, hosts)
}

// do starts a run, does it, and prints the result.
func (c *control) do(ctx context.Context, f *flag.Fleet, run dropcap.FleetRun,
	out *outputFlags) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	targets, err := out.targets(checkFleet(run.Verb))
	if err != nil {
		return run, nil, err
	}
	run, hosts, err := c.start(ctx, f, run, nil)
	if err != nil {
		return run, hosts, err
	}
	if f.PrintAWS {
		return run, hosts, c.printAWS(run, hosts)
	}
	unlock, err := c.store.LockRun(run.ID)
	if err != nil {
		return run, hosts, err
	}
	defer unlock()
	return c.finish(ctx, run, hosts, targets, out)
}

// finish does a started run, and prints the result.
func (c *control) finish(ctx context.Context, run dropcap.FleetRun, hosts []dropcap.FleetHost,
	targets []target, out *outputFlags) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	run, hosts, err := c.Go(ctx, run, hosts, c.places)
	c.app.clearLine()
	if err != nil {
		return run, hosts, interrupted(ctx, run, err)
	}
	c.app.finished = true
	doc := fleet.ResultOf(run, hosts)
	c.app.status = dropcap.Worst(c.app.status, fleet.StatusCode(doc))
	if wire.Changes(run.Verb) { // what was left as it is stands in no document
		c.app.status = dropcap.Worst(c.app.status, fleet.StatusOf(run, hosts))
		c.app.hostWarnings(hosts)
	}
	now, err := fleet.AfterBackout(ctx, c.Ledger, run, hosts)
	if err != nil {
		return run, hosts, err
	}
	doc = fleet.ResultOf(run, now)
	err = c.app.print(targets, func(w io.Writer, format string, o render.Options) error {
		return render.Fleet(w, format, doc, o)
	}, *out)
	if err == nil {
		err = c.app.missing(doc)
	}
	return run, hosts, err
}

// mostWarnings is how many different warnings of hosts are shown; containers make them up.
const mostWarnings = 20

// hostWarnings prints the hosts' warnings.
func (a *app) hostWarnings(hosts []dropcap.FleetHost) {
	list := fleet.Warnings(hosts)
	for _, w := range list[:min(len(list), mostWarnings)] {
		where := w.Hosts[0]
		if more := len(w.Hosts) - 1; more > 0 {
			where += " and " + printable.Count(more, "other")
		}
		a.warn(fmt.Errorf("%s: %s", where, w.Text))
	}
	if more := len(list) - mostWarnings; more > 0 {
		a.warn(fmt.Errorf("%d more like these: `dropcap fleet status RUN --format json` has them "+
			"all", more))
	}
}

// missing reports names that no host has. If all hosts have answered, it is the same error as on
// one host.
func (a *app) missing(doc dropcap.Fleet) error {
	names, answered := fleet.Missing(doc)
	if len(names) == 0 {
		return nil
	}
	what, hint := "a container named ",
		"`dropcap fleet audit` without --container shows those that there are"
	if doc.Run.Verb == "evidence" {
		what, hint = "evidence of ",
			"`dropcap fleet evidence` without --workload shows what there is; `dropcap fleet "+
				"learn` records it"
	}
	err := dropcap.Errorf(dropcap.CodeError, hint, "cannot find %s%s on any of %s", what,
		quoted(names), printable.Count(answered, "host"))
	if len(doc.Failures) == 0 {
		return err
	}
	a.warn(fmt.Errorf("%w, and others did not answer%s", err, asHint(hint)))
	a.status = dropcap.Worst(a.status, dropcap.ExitIncomplete)
	return nil
}

// quoted lists names that a person gave.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = strconv.Quote(n)
	}
	return strings.Join(list, ", ")
}

// printAWS prints what would be sent as aws commands.
func (c *control) printAWS(run dropcap.FleetRun, hosts []dropcap.FleetHost) error {
	list, err := c.Commands(run, hosts, c.places)
	if err != nil {
		return err
	}
	for _, cmd := range list {
		fmt.Fprintln(c.app.out, aws.PrintAWS(cmd))
	}
	return nil
}

// checkFleet checks formats of a verb's results.
func checkFleet(verb string) func(string) error {
	return func(format string) error { return render.CheckFleetFormat(verb, format) }
}

// hintRun says how to use a run's id.
func (a *app) hintRun(what, verb string, run dropcap.FleetRun) {
	fmt.Fprintf(a.err, "run %s; %s: dropcap fleet %s %s\n", run.ID, what, verb, run.ID)
}
