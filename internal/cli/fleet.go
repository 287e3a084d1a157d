package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/host"
	"dropcap/internal/store"
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
		sub.PreRunE = noneEmpty
		for _, below := range sub.Commands() {
			below.PreRunE = noneEmpty
		}
	}
	return cmd
}

// narrowing are flags that narrow what is done: one that is empty, since a variable was, must not
// widen it.
var narrowing = []string{"targets", "region", "role-arn", "container", "workload", "waves",
	"window", "probe", "export", "distributor", "package-version", "bucket"}

func noneEmpty(cmd *cobra.Command, _ []string) error {
	for _, name := range narrowing {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			values := []string{f.Value.String()}
			if list, ok := f.Value.(pflag.SliceValue); ok {
				values = list.GetSlice()
			}
			if len(values) == 0 || slices.Contains(values, "") {
				return usageError("leave it out, or give it a value; is a variable empty?",
					"cannot use an empty --%s", name)
			}
		}
	}
	return nil
}

const fleetExitHelp = `
Exit status: 0 done, nothing to say; 1 error; 2 usage; 3 findings, or changes pending; 4 changes
were rolled back; 5 a person is needed on some host; 6 this host can't; 7 incomplete (a host could
not be asked, or refused something); 130 interrupted: "dropcap fleet resume RUN" goes on.`

// noQuiet hides --quiet where it changes nothing.
func noQuiet(cmd *cobra.Command) { cobra.CheckErr(cmd.Flags().MarkHidden("quiet")) }

// fleetFlags say which hosts are meant and how they are reached.
type fleetFlags struct {
	targets, regions, roles []string
	profile, store          string
	rate                    float64
	shell, printAWS         bool
	bucket, prefix          string
	delivery, execution     time.Duration
	patience, answer        time.Duration
}

func (f *fleetFlags) register(fl *pflag.FlagSet, targets bool) {
	if targets {
		fl.StringArrayVarP(&f.targets, "targets", "t", nil,
			"which nodes: i-…,mi-…; tag:KEY=VALUE,…; tag:KEY; group:NAME; Key=tag:KEY,Values=…; or all; may be repeated")
		fl.BoolVar(&f.printAWS, "print-aws", false,
			"print the aws commands that would send the same, and send nothing")
	}
	fl.StringSliceVar(&f.regions, "region", nil,
		"AWS region; may be repeated (default: AWS_REGION, or the profile's)")
	fl.StringVar(&f.profile, "profile", "", "AWS profile (default: AWS_PROFILE)")
	fl.StringArrayVar(&f.roles, "role-arn", nil,
		"role to assume, one for each further account; may be repeated")
	fl.Float64Var(&f.rate, "rate", aws.DefaultRate,
		"requests a second to each API of each account and region")
	fl.BoolVar(&f.shell, "shell", false,
		"send through AWS-RunShellScript instead of dropcap's own documents")
	fl.StringVar(&f.bucket, "s3-bucket", "",
		"let nodes put whole outputs into this bucket (default: documents come in parts)")
	fl.StringVar(&f.prefix, "s3-prefix", "dropcap", "the prefix of keys there")
	fl.DurationVar(&f.delivery, "delivery-timeout", 2*time.Minute,
		"how long a node may take to fetch a command (30s or more)")
	fl.DurationVar(&f.execution, "execution-timeout", 10*time.Minute,
		"how long the agent lets a command run; what it does goes on all the same (5s or more)")
	fl.DurationVar(&f.answer, "answer-timeout", 2*time.Minute,
		"how long a node that is only looked at may show no sign of life")
	fl.DurationVar(&f.patience, "patience", 2*time.Hour, "how long a host may be at work")
	fl.StringVar(&f.store, "store", fleetStore(),
		"the folder of the controller's store, which keeps runs")
}

// reach is what is kept with a run of how its hosts are reached.
func (f *fleetFlags) reach() *dropcap.FleetReach {
	return &dropcap.FleetReach{
		Profile: f.profile, Roles: append([]string{}, f.roles...), Shell: f.shell, Bucket: f.bucket,
		Prefix: f.prefix, Rate: f.rate,
		DeliverySeconds: wholeSeconds(f.delivery), ExecutionSeconds: wholeSeconds(f.execution),
		PatienceSeconds: wholeSeconds(f.patience),
		AnswerSeconds:   wholeSeconds(f.answer),
	}
}

// wholeSeconds is never less than what was asked for.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// as reaches hosts as a run did, but for what flags say; how long it waits is each run's own, and
// the same only when that run is gone on with.
func (f *fleetFlags) as(run dropcap.FleetRun, fl *pflag.FlagSet, goesOn bool) {
	for _, place := range run.Places { // a region that was found by a flag then is found again
		if region := place[strings.LastIndexByte(place, '/')+1:]; !slices.Contains(f.regions,
			region) {
			f.regions = append(f.regions, region)
		}
	}
	r := run.Reach
	if r == nil {
		return
	}
	keep := func(name string, do func()) {
		if !fl.Changed(name) {
			do()
		}
	}
	keep("profile", func() { f.profile = r.Profile })
	keep("role-arn", func() { f.roles = r.Roles })
	keep("shell", func() { f.shell = r.Shell })
	keep("s3-bucket", func() { f.bucket = r.Bucket })
	keep("s3-prefix", func() { f.prefix = r.Prefix })
	keep("rate", func() { f.rate = r.Rate })
	if goesOn {
		keep("delivery-timeout", func() {
			f.delivery = time.Duration(r.DeliverySeconds) * time.Second
		})
		keep("execution-timeout", func() {
			f.execution = time.Duration(r.ExecutionSeconds) * time.Second
		})
		if r.AnswerSeconds > 0 {
			keep("answer-timeout", func() {
				f.answer = time.Duration(r.AnswerSeconds) * time.Second
			})
		}
		keep("patience", func() { f.patience = time.Duration(r.PatienceSeconds) * time.Second })
	}
}

// remembered finds a run in the store, and reaches hosts as it did; verb is the one that it must be
// of, empty: any, which goes on.
func (f *fleetFlags) remembered(ctx context.Context, fl *pflag.FlagSet, id,
	verb string) (dropcap.FleetRun, error) {
	s, err := store.Open(f.store)
	if err != nil {
		return dropcap.FleetRun{}, err
	}
	defer s.Close()
	run, _, err := findRun(ctx, s, id, verb)
	if err == nil {
		f.as(run, fl, verb == "")
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
func (a *app) control(ctx context.Context, f *fleetFlags) (*control, error) {
	if f.delivery < 30*time.Second || f.execution < 5*time.Second || f.patience <= 0 ||
		f.answer <= 0 {
		return nil, usageError("--delivery-timeout is 30s or more, --execution-timeout 5s or "+
			"more, --patience and --answer-timeout above 0", "cannot wait for so short a time")
	}
	if f.rate == 0 {
		return nil, usageError("it is above 0 and at most 1000", "cannot ask 0 times a second")
	}
	client, err := aws.Open(ctx, aws.Options{Regions: f.regions, Profile: f.profile, Roles: f.roles,
		Rate: f.rate})
	if err != nil {
		return nil, err
	}
	places, err := client.Places(ctx)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(f.store)
	if err != nil {
		return nil, err
	}
	c := &control{app: a, client: client, store: s, places: places}
	c.Engine = &fleet.Engine{
		Carrier: client, Clock: aws.Wall{}, Ledger: s,
		Way: fleet.Way{Shell: f.shell, Bucket: f.bucket, Prefix: f.prefix},
		Pace: fleet.Pace{Delivery: f.delivery, Execution: f.execution, Patience: f.patience,
			Answer: f.answer},
		Reach: f.reach(),
		Tell:  a.fleetTeller(),
		Ask:   a.confirm,
		Probe: probe,
	}
	if f.printAWS {
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

// find resolves the targets.
func (c *control) find(ctx context.Context,
	f *fleetFlags) ([]dropcap.Node, []dropcap.HostFailure, error) {
	t, err := targetsOf(f.targets)
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
			"cannot find any managed node for --targets %s", oneLine(strings.Join(f.targets, " ")))
	}
	return nodes, failures, nil
}

// targetsOf reads --targets, in our words and in those of the aws command.
func targetsOf(list []string) (dropcap.Targets, error) {
	t := dropcap.Targets{Tags: map[string][]string{}}
	if len(list) == 0 {
		return t, usageError("for example --targets tag:role=web, --targets i-0123456789abcdef0, "+
			"or --targets all", "cannot tell which hosts are meant: there is no --targets")
	}
	for _, s := range list {
		key, values, _ := strings.Cut(s, "=")
		if rest, ok := strings.CutPrefix(s, "Key="); ok {
			k, v, found := strings.Cut(rest, ",Values=")
			if !found {
				return t, usageError("for example --targets Key=tag:role,Values=web,db",
					"cannot read the target %q", s)
			}
			key, values = k, v
		}
		if name, ok := strings.CutPrefix(s, "group:"); ok {
			key, values = "resource-groups:Name", name
		}
		words := strings.Split(values, ",")
		switch tag, ok := strings.CutPrefix(key, "tag:"); {
		case s == "all":
			t.All = true
		case ok && tag != "" && key == s: // any value
			t.Tags[tag] = append([]string{}, t.Tags[tag]...)
		case values != "" && slices.Contains(words, ""), values == "" && key != s:
			return t, usageError("is a variable empty? tag:KEY alone stands for any value",
				"cannot read the target %q: it has an empty value", s)
		case ok && tag != "":
			t.Tags[tag] = append(t.Tags[tag], words...)
		case strings.EqualFold(key, "instanceIds"):
			t.Nodes = append(t.Nodes, words...)
		case key == "resource-groups:Name":
			t.Groups = append(t.Groups, words...)
		case values == "" && strings.Contains(s, "i-"):
			t.Nodes = append(t.Nodes, strings.Split(s, ",")...)
		default:
			return t, usageError("for example tag:role=web, i-0123456789abcdef0, group:NAME or all",
				"cannot read the target %q", s)
		}
	}
	if t.All && len(t.Nodes)+len(t.Tags)+len(t.Groups) > 0 {
		return t, usageError("leave one of them out", "cannot target all nodes and some of them")
	}
	return t, nil
}

// interrupted tells what an interrupt leaves behind.
func interrupted(ctx context.Context, run dropcap.FleetRun, err error) error {
	if err == nil || ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return dropcap.Errorf(dropcap.CodeInterrupt, "`dropcap fleet resume "+run.ID+"` goes on",
		"cannot finish run %s: interrupted; hosts go on with what they were asked already", run.ID)
}
