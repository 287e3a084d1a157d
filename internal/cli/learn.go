package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/bpf"
	"dropcap/internal/doctor"
	"dropcap/internal/evidence"
	"dropcap/internal/host"
	"dropcap/internal/learn"
	"dropcap/internal/printable"
	"dropcap/internal/store"
)

type learnFlags struct {
	format, until, store, hook            string
	span                                  time.Duration
	restart, yes, complete, execs, daemon bool

	named map[string]string // the containers that are named, by id
}

func (a *app) learn() *cobra.Command {
	f := &learnFlags{}
	cmd := &cobra.Command{
		Use:   "learn [CONTAINER...] [-- COMMAND [ARG...]]",
		Short: "Record which capabilities containers really use",
		Long: `Count, in the kernel, every capability check that the containers' processes cause,
and keep as evidence what each workload needs: with the program, the system call and the place in
the kernel, and what breaks without it. Without arguments all containers are watched, also those
that start meanwhile. It ends after --for, with --until stopped, when COMMAND ends, or on Ctrl-C;
what was recorded until then is kept. Nothing is changed, but --restart restarts the named
containers so that their stop and start are seen.

The more of a container's life is seen, the surer the evidence: a first and a second start, a
reload, a stop, an hour of work. What an administrator runs with docker exec is shown and keeps no
capability, unless --execs says that it is the workload's own work, or "dropcap evidence approve"
says so later; a healthcheck is the workload's own. docs/learning.md tells what is seen and what
cannot be.

--service is for a daemon: it watches all containers for weeks in bounded memory, logs a line for
what is worth one, and tells systemd when it is ready (packaging/systemd/dropcap-learn.service).
` + learnExit,
		Example: `  sudo dropcap learn --for 10m
  sudo dropcap learn web db --restart --for 1h
  sudo dropcap learn --complete -- docker run --rm app:1 ./run-all-tests
  sudo dropcap learn --service
  sudo dropcap evidence web`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			names, command := args, []string(nil)
			if at := cmd.ArgsLenAtDash(); at >= 0 {
				names, command = args[:at], args[at:]
			}
			if err := f.check(names, command); err != nil {
				return err
			}
			return a.runLearn(cmd.Context(), names, command, f)
		},
	}
	fl := cmd.Flags()
	fl.DurationVar(&f.span, "for", 0, "record for this long; otherwise until Ctrl-C")
	fl.StringVar(&f.until, "until", "", "stopped: until none of the containers runs any more")
	fl.BoolVar(&f.restart, "restart", false,
		"restart the named containers, to see them stop and start")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask before restarting")
	fl.BoolVar(&f.complete, "complete", false,
		"everything that the containers ever do is exercised meanwhile")
	fl.BoolVar(&f.execs, "execs", false,
		"what docker exec runs is the workload's own work, and keeps what it needs")
	fl.BoolVar(&f.daemon, "service", false,
		"run as a daemon: watch all containers for weeks, log to standard error, print no "+
			"evidence at the end")
	fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store")
	fl.StringVar(&f.hook, "hook", "",
		"force a kernel hook: fexit, tp_btf, raw_tp or kprobe (default: the best that loads)")
	fl.StringVar(&f.format, "format", "text", "output: text or json")
	return cmd
}

const learnExit = `
Exit status: 0 done; 1 error (what was recorded is printed all the same, and kept where that is
possible); 2 usage; 6 this host can't (no engine, not root, no eBPF); 7 incomplete (some container
was not seen starting, or its checks could not be told apart); 130 interrupted before anything was
recorded.`

func (f *learnFlags) check(names, command []string) error {
	switch {
	case f.format != "text" && f.format != "json":
		return usageError("text or json", "cannot report in the format %q", f.format)
	case f.until != "" && f.until != "stopped":
		return usageError("for example --until stopped", "cannot record until %q", f.until)
	case f.daemon && (len(names)+len(command) > 0 || f.restart || f.complete || f.until != "" ||
		f.span != 0 || f.format != "text"):
		return usageError("`dropcap learn --service` alone; it watches all containers until it "+
			"is told to end", "cannot combine --service with what names or ends a recording")
	case f.restart && len(names) == 0:
		return usageError("for example dropcap learn --restart web",
			"cannot restart containers that are not named")
	case f.span < 0:
		return usageError("for example --for 10m", "cannot record for %s", f.span)
	case len(command) > 0 && f.restart:
		return usageError("do one after the other",
			"cannot run a command and restart containers in one recording")
	}
	return nil
}

func (a *app) runLearn(ctx context.Context, names, command []string, f *learnFlags) error {
	if f.daemon {
		a.logging()
	}
	h, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	here := h.Machine()
	info, err := h.Host(ctx)
	if err != nil {
		return err
	}
	if !here.Engine || here.Release != info.Kernel {
		return dropcap.Errorf(dropcap.CodeHost, "run dropcap there",
			"cannot learn here: the engine runs on another machine or in a VM")
	}
	l := newLearner(h)
	q, err := a.learnQuery(ctx, l, names, f)
	if err != nil {
		return err
	}
	q.Host = here.ID
	s, err := store.Open(f.store)
	if err != nil {
		return err
	}
	defer s.Close()
	unlock, err := s.Lock("learn")
	if err != nil {
		return err
	}
	defer unlock()
	t, err := openTracer(f.hook)
	if err != nil {
		return err
	}
	defer t.Close()
	fmt.Fprintf(a.err, "learning through %s; evidence goes to %s\n", t.Hook(), s.Folder())
	if why := doctor.Untraceable(info.Engine.Name, here.Cgroup); why != "" {
		a.warn(errors.New(why))
	}
	return a.record(ctx, l, tracer{t}, host.Keeper{Store: s, Host: here.ID}, q, command, f)
}

// openTracer says the likeliest cause in one clause where there is one: what each hook answered
// helps nobody who is not root.
func openTracer(hook string) (*bpf.Tracer, error) {
	t, err := bpf.Open(bpf.Options{Hook: hook})
	var e *dropcap.Error
	if err != nil && os.Geteuid() != 0 && errors.As(err, &e) && e.Code == dropcap.CodeHost {
		err = &dropcap.Error{Code: dropcap.CodeHost,
			Message: "cannot watch capability checks: that takes root",
			Hint:    "run dropcap with sudo", Err: err}
	}
	if err != nil {
		return nil, err
	}
	// Also where containers are named: by the time that the engine tells of a start it is over.
	if err := t.Default(true); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// record records until it is told to end, and prints what was seen, whatever ended it.
func (a *app) record(ctx context.Context, l learner, t tracer, k host.Keeper, q learn.Query,
	command []string, f *learnFlags) error {
	recordCtx, end := context.WithCancel(ctx)
	defer end()
	if f.span > 0 && len(command) > 0 {
		recordCtx, end = context.WithTimeout(ctx, f.span)
		defer end()
	}
	failed := make(chan error, 1)
	failed <- nil
	q.Begun = func() {
		<-failed
		go func() { failed <- a.exercise(recordCtx, end, l.host.Client, command, f) }()
	}
	if f.daemon {
		q.Begun = a.ready
		defer notify("STOPPING=1")
	}
	list, err := learn.Run(recordCtx, t, l, k, q)
	end()
	a.clearLine()
	a.finished = true // Ctrl-C is how a recording without an end is ended
	err = errors.Join(err, <-failed)
	if f.daemon {
		return err
	}
	if list == nil && err != nil {
		return err
	}
	doc := dropcap.Evidence{Schema: dropcap.SchemaEvidence, Workloads: evidence.Merge(list,
		evidence.ByHost)}
	if f.restart {
		doc.NotStarted = a.unstarted(f.named, list)
	}
	shown := a.printEvidence(doc, f.format)
	return errors.Join(err, shown)
}

// learnQuery resolves the names, and asks before anything is restarted.
func (a *app) learnQuery(ctx context.Context, l learner, names []string,
	f *learnFlags) (learn.Query, error) {
	q := learn.Query{Complete: f.complete, Execs: f.execs, Warn: a.learnWarn(),
		Scanning: a.scanning(), Enough: enough, Progress: a.learnProgress(f.span)}
	if f.daemon {
		q.Service, q.Read, q.Say, q.Warn = true, 30*time.Second, a.say, a.sayOnce()
		q.Progress = a.alive()
	}
	for _, n := range names {
		c, err := l.See(ctx, n)
		if err != nil {
			return q, err
		}
		if q.Only == nil {
			q.Only, f.named = map[string]bool{}, map[string]string{}
		}
		q.Only[c.ID], f.named[c.ID] = true, c.Name
	}
	if f.until == "stopped" {
		q.Until = func(s learn.Session) bool { return s.Containers > 0 && s.Live == 0 }
	}
	if f.restart && !f.yes {
		if err := a.confirm(ctx,
			fmt.Sprintf("Restart %s?", strings.Join(names, ", "))); err != nil {
			return q, err
		}
	}
	return q, nil
}

// learnWarn also makes the recording incomplete where a container was not seen. What was
// interrupted is said once, whatever it was.
func (a *app) learnWarn() func(error) {
	var mu sync.Mutex
	said := false
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if errors.Is(err, learn.ErrBlind) || host.CodeOf(err) == dropcap.CodeIncomplete {
			a.status = dropcap.ExitIncomplete
		}
		if errors.Is(err, context.Canceled) {
			if said {
				return
			}
			said, err = true, errors.New("the end came before the engine had answered everything")
		}
		a.warn(err)
	}
}

// enough ends at the next Ctrl-C: what is still to be looked at is left to the next recording then.
func enough() <-chan struct{} {
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		close(ended)
	}()
	return ended
}

// scanning says what is waited for after the recording.
func (a *app) scanning() func(left int) {
	said := false
	return func(left int) {
		a.clearLine()
		switch {
		case isTerminal(a.err):
			fmt.Fprintf(a.err, "looking at the files of %s; Ctrl-C leaves that to the next time",
				printable.Count(left, "image"))
		case !said:
			fmt.Fprintf(a.err, "looking at the files of %s\n", printable.Count(left, "image"))
		}
		said = true
	}
}
