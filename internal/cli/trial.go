package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/apply"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/render"
	"dropcap/internal/trial"
)

type trialFlags struct {
	drop, level, policy, format, store, hook string
	probe, probeExec                         string
	span, every                              time.Duration
	strict, tolerant, complete, execs        bool
	stop, list, detach, detached             bool
}

func (a *app) trial() *cobra.Command {
	f := &trialFlags{}
	cmd := &cobra.Command{
		Use:   "trial [CONTAINER...]",
		Short: "Deny capabilities to running containers for a time, and lift what hurts",
		Long: `Have the kernel deny capabilities to the programs of running containers, as if they had
been dropped. Nothing is restarted or re-created, and nothing else is touched. What a plan at --level
would drop is denied, or what --drop names.

It lifts by itself what hurts. A denied check that decides something lifts that capability at once
(with --strict all of its container), and is kept as evidence: needed, seen under trial. A container
that ends or restarts by itself, runs out of memory, becomes unhealthy or fails its --probe gets
everything back. A restart by an operator is none of these: the trial goes on through it, and counts
a start. What was denied for 24 hours with a start, and did no harm, is the highest confidence that
evidence can have.

It ends after --for, with --stop, on Ctrl-C, and when its process ends in any way: the kernel lets go
by itself. --detach lets it go on without this terminal. docs/trial.md tells what it cannot show.
` + trialExit,
		Example: `  sudo dropcap trial web                      what a plan would drop, for 24 hours
  sudo dropcap trial web --level least --for 2h --probe 'curl -fsS http://127.0.0.1:8080/'
  sudo dropcap trial web db --drop NET_RAW,MKNOD --detach
  sudo dropcap trial --list
  sudo dropcap trial --stop web`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(args); err != nil {
				return err
			}
			return a.runTrial(cmd, args, f)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

func (f *trialFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.drop, "drop", "", "deny these, for example NET_RAW,MKNOD; ALL: all that it holds")
	fl.StringVar(&f.level, "level", "",
		"deny what a plan would drop: cis or least (default: the policy's, else cis)")
	fl.StringVar(&f.policy, "policy", "", "policy file (default: as for audit)")
	fl.DurationVar(&f.span, "for", trial.DefaultFor, "try for this long")
	fl.BoolVar(&f.strict, "strict", false,
		"lift everything of a container at the first denial that decides something")
	fl.BoolVar(&f.tolerant, "tolerate", false,
		"go on where programs often do without (what evidence says to try without)")
	fl.StringVar(&f.probe, "probe", "", "a program of this host that must succeed")
	fl.StringVar(&f.probeExec, "probe-exec", "", "a program in the container that must succeed")
	fl.DurationVar(&f.every, "probe-every", trial.ProbeEvery, "how often a probe runs")
	fl.BoolVar(&f.complete, "complete", false,
		"everything that the containers ever do is exercised meanwhile")
	fl.BoolVar(&f.execs, "execs", false,
		"what docker exec runs is the workload's own work, and lifts what it needs")
	fl.BoolVarP(&f.detach, "detach", "d", false, "go on without this terminal")
	fl.BoolVar(&f.detached, "detached", false, "")
	cobra.CheckErr(fl.MarkHidden("detached"))
	fl.BoolVar(&f.stop, "stop", false, "end the running trials of these containers, or all")
	fl.BoolVar(&f.list, "list", false, "list the trials of this host, running and over")
	fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store")
	fl.StringVar(&f.hook, "hook", "", "force a kernel hook: fmod_ret/security_capable or "+
		"lsm/capable (default: the best that works)")
	fl.StringVar(&f.format, "format", "text", "output: text or json")
}

const trialExit = `
Exit status: 0 done, and nothing had to be lifted; 1 error; 2 usage; 3 something was lifted: it is
needed; 6 this host can't (no engine, not root, no hook that denies); 7 incomplete (a container could
not be tried, or denied checks were lost); 130 interrupted before anything was denied.`

func (f *trialFlags) check(names []string) error {
	trying := !f.stop && !f.list
	switch {
	case f.format != "text" && f.format != "json":
		return usageError("text or json", "cannot report in the format %q", f.format)
	case f.stop && f.list:
		return usageError("give one of them", "cannot list and stop trials at once")
	case trying && len(names) == 0:
		return usageError("for example dropcap trial web, or --list",
			"cannot try: no container is named")
	case f.span <= 0:
		return usageError("for example --for 24h", "cannot try for %s", f.span)
	case f.every <= 0:
		return usageError("for example --probe-every 30s", "cannot probe every %s", f.every)
	case f.drop != "" && (f.level != "" || f.policy != ""):
		return usageError("give one of them", "cannot use --drop together with what a plan says")
	}
	return nil
}

func (a *app) runTrial(cmd *cobra.Command, names []string, f *trialFlags) error {
	ctx := cmd.Context()
	switch {
	case f.list:
		return a.listTrials(ctx, names, f)
	case f.stop:
		doc, err := a.host(f.store).StopTrial(ctx, names)
		if err != nil {
			return err
		}
		return a.printTrials(doc, f)
	case f.detach:
		return a.detachTrial(cmd, names)
	}
	q, err := a.trialRequest(ctx, names, f)
	if err != nil {
		return err
	}
	shown := &trialTerminal{observer: observer{a}, detached: f.detached, lifts: map[string]int{},
		span: f.span}
	doc, incomplete, err := a.hostFor(f.store, shown).Trial(ctx, q)
	a.clearLine()
	a.finished = shown.begun // Ctrl-C is one way to end a trial
	a.status = dropcap.Worst(a.status, trialStatus(doc, incomplete))
	if doc.Schema != "" && !f.detached {
		if err := a.printTrials(doc, f); err != nil {
			return err
		}
	}
	return err
}

func trialStatus(doc dropcap.Trials, incomplete bool) int {
	status := dropcap.ExitOK
	if incomplete {
		status = dropcap.ExitIncomplete
	}
	for _, t := range doc.Trials {
		if len(t.Lifted) > 0 {
			status = dropcap.Worst(status, dropcap.ExitFindings)
		}
	}
	return status
}

func (a *app) trialRequest(ctx context.Context, names []string,
	f *trialFlags) (q host.TrialRequest, err error) {
	q = host.TrialRequest{Names: names, For: f.span, Strict: f.strict, Tolerant: f.tolerant,
		Complete: f.complete, Execs: f.execs, Hook: f.hook, Probe: trial.Probe{Every: f.every}}
	for _, p := range []struct {
		flag, line string
		into       *[]string
	}{{"--probe", f.probe, &q.Probe.Host}, {"--probe-exec", f.probeExec, &q.Probe.Container}} {
		args, ok := apply.Split(p.line)
		if !ok || p.line != "" && (len(args) == 0 || args[0] == "") {
			return q, usageError("for example "+p.flag+" 'curl -fsS http://127.0.0.1:8080/'",
				"cannot read the command of %s", p.flag)
		}
		*p.into = args
	}
	switch {
	case strings.EqualFold(f.drop, caps.All):
		q.Drop = caps.UpTo(caps.Last)
	case f.drop != "":
		if q.Drop, err = caps.ParseAll(strings.Split(f.drop, ",")); err != nil {
			return q, usageError("for example --drop NET_RAW,MKNOD", "cannot try without %s: %w",
				f.drop, err)
		}
	default:
		q.Policy, err = a.loadPolicy(ctx, f.policy, f.level)
	}
	return q, err
}

func (a *app) listTrials(ctx context.Context, names []string, f *trialFlags) error {
	doc, err := a.host(f.store).Trials(ctx)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		all := doc.Trials
		doc.Trials = []dropcap.Trial{}
		for _, t := range all {
			for _, n := range names {
				if n == t.Name || n == t.ID || n == t.Workload {
					doc.Trials = append(doc.Trials, t)
					break
				}
			}
		}
		return a.printTrials(doc, f)
	}
	if f.format == "json" {
		return writeJSON(a.out, doc)
	}
	return render.TrialTable(a.out, doc, a.options(outputFlags{}))
}

func (a *app) printTrials(doc dropcap.Trials, f *trialFlags) error {
	if f.format == "json" {
		return writeJSON(a.out, doc)
	}
	return render.Trials(a.out, doc, a.options(outputFlags{}))
}

// detachTrial starts the same command in a session of its own.
func (a *app) detachTrial(cmd *cobra.Command, names []string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program of this process: %w", err)
	}
	line := []string{self, "trial", "--detached"}
	cmd.Flags().Visit(func(x *pflag.Flag) {
		if x.Name != "detach" {
			line = append(line, "--"+x.Name+"="+x.Value.String())
		}
	})
	begun, status, err := host.Detach(append(append(line, "--"), names...), a.err)
	if err != nil {
		return err
	}
	if a.status = status; begun {
		fmt.Fprintln(a.err, "dropcap: it goes on by itself: `dropcap trial --list` shows it, and "+
			"--stop ends it")
	}
	return nil
}

// trialTerminal shows trials on standard error.
type trialTerminal struct {
	observer
	detached bool
	begun    bool
	span     time.Duration
	lifts    map[string]int // those that were told, by trial
	latest   map[string]dropcap.Trial
}

func (t *trialTerminal) Progress(p host.Progress) {
	switch p := p.(type) {
	case host.TrialBegun:
		t.clearLine()
		t.say("trying %s without %s until %s, through %s", oneLine(p.Trial.Name),
			p.Trial.Denied.Short(), p.Trial.Until, p.Trial.Hook)
	case host.TrialsBegun:
		if t.begun = true; t.detached {
			fmt.Fprintln(t.out, host.Watching)
		}
	case host.TrialSoFar:
		t.soFar(p.Trial)
	default:
		t.observer.Progress(p)
	}
}

// soFar tells what was lifted, once, and shows on a terminal how it goes.
func (t *trialTerminal) soFar(d dropcap.Trial) {
	for _, l := range d.Lifted[min(t.lifts[d.ID], len(d.Lifted)):] {
		t.clearLine()
		t.say("lifted %s of %s: %s", l.Caps.Short(), oneLine(d.Name), oneLine(l.Because))
	}
	t.lifts[d.ID] = len(d.Lifted)
	if !isTerminal(t.err) {
		return
	}
	if t.latest == nil {
		t.latest = map[string]dropcap.Trial{}
	}
	t.latest[d.ID] = d
	var denied uint64
	running, longest := 0, int64(0)
	for _, x := range t.latest {
		for _, n := range x.Denials {
			denied += n.Count
		}
		if longest = max(longest, x.Seconds); !x.State.Over() {
			running++
		}
	}
	fmt.Fprintf(t.err, "\r\033[K%s of %s  %s under trial  %d denied",
		time.Duration(longest)*time.Second, t.span, printable.Count(running, "container"), denied)
}
