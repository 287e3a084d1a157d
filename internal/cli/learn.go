package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/exporter"
	"dropcap/internal/cli/sdnotify"
	"dropcap/internal/host"
	"dropcap/internal/metrics"
	"dropcap/internal/printable"
)

type learnFlags struct {
	format, until, store, hook, metrics   string
	span                                  time.Duration
	restart, yes, complete, execs, daemon bool
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
--metrics exports what it does to Prometheus (docs/metrics.md).
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
	fl.StringVar(&f.metrics, "metrics", "", "with --service: "+exporter.Usage)
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
	case f.metrics != "" && !f.daemon:
		return usageError("add --service, or use dropcap watch --metrics",
			"cannot export metrics of a recording that ends")
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
	a.yes = f.yes
	shown := &learnTerminal{observer: observer{a}}
	q := host.LearnRequest{
		Names: names, For: f.span, UntilStopped: f.until == "stopped", Restart: f.restart,
		// standard output is for the evidence
		Command:  host.Command{Args: command, Stdin: a.in, Output: a.err},
		Complete: f.complete, Execs: f.execs, Hook: f.hook, Enough: nextInterrupt,
		Service: f.daemon,
	}
	var o host.Observer = shown
	if f.daemon {
		a.say("starting")
		s := &learnService{learnTerminal: shown, store: f.store}
		if o = s; f.metrics != "" {
			e, err := exporter.Open(f.metrics, s.metrics, a.warn)
			if err != nil {
				return err
			}
			defer e.Close()
		}
	}
	r, err := a.hostFor(f.store, o).Learn(ctx, q)
	a.clearLine()
	a.finished = r.Began // Ctrl-C is how a recording without an end is ended
	if f.daemon && r.Began {
		sdnotify.Send("STOPPING=1")
	}
	if r.Incomplete {
		a.status = dropcap.ExitIncomplete
	}
	if r.Evidence.Schema != "" {
		err = errors.Join(err, a.printEvidence(r.Evidence, f.format))
	}
	return err
}

// nextInterrupt ends at the next Ctrl-C: what is still to be looked at is left to the next
// recording then.
func nextInterrupt() <-chan struct{} {
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		close(ended)
	}()
	return ended
}

// learnTerminal shows a recording on standard error.
type learnTerminal struct {
	observer
	scanning bool // it was said that files are being read
}

func (t *learnTerminal) Progress(p host.Progress) {
	switch p := p.(type) {
	case host.LearnedSoFar:
		t.showSoFar(p)
	case host.ImagesLeft:
		t.imagesLeft(p.Count)
	default:
		t.observer.Progress(p)
	}
}

func (t *learnTerminal) showSoFar(p host.LearnedSoFar) {
	if !isTerminal(t.err) {
		return
	}
	of := ""
	if p.For > 0 {
		of = " of " + p.For.String()
	}
	fmt.Fprintf(t.err, "\r\033[K%s%s  %d containers, %d running  %d capabilities used  lost %d",
		p.Elapsed.Round(time.Second), of, p.Containers, p.Live, p.Needs, p.Lost)
}

func (t *learnTerminal) imagesLeft(count int) {
	t.clearLine()
	images := printable.Count(count, "image")
	switch {
	case isTerminal(t.err):
		fmt.Fprintf(t.err, "looking at the files of %s; Ctrl-C leaves that to the next time",
			images)
	case !t.scanning:
		fmt.Fprintf(t.err, "looking at the files of %s\n", images)
	}
	t.scanning = true
}

// learnService logs a recording of weeks to standard error, and reports to systemd.
type learnService struct {
	*learnTerminal
	reported time.Time

	store string

	mu    sync.Mutex
	began time.Time
	hook  string
	soFar host.LearnedSoFar

	// the evidence as of a time; only metrics uses it
	outline  []dropcap.WorkloadEvidence
	outlined time.Time
}

// outlineFor is how long evidence is taken as it was: a recording stores some twice a minute.
const outlineFor = time.Minute

func (s *learnService) Progress(p host.Progress) {
	switch p := p.(type) {
	case host.TracerOpened:
		s.note(func() { s.hook = p.Hook })
		s.learnTerminal.Progress(p)
	case host.LearnBegun:
		s.note(func() { s.began = time.Now() })
		s.say("recording")
		sdnotify.Send("READY=1\nSTATUS=recording")
	case host.LearnedSoFar:
		s.note(func() { s.soFar = p })
		s.alive(p)
	case host.LogLine:
		s.say("%s", p.Text)
	default:
		s.learnTerminal.Progress(p)
	}
}

// note keeps what metrics are made of.
func (s *learnService) note(keep func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep()
}

// metrics returns what the recording knows of itself, and how good the evidence is by now. It is
// called by one goroutine at a time.
func (s *learnService) metrics(ctx context.Context) metrics.State {
	m := metrics.State{Version: version(), Now: time.Now()}
	if time.Since(s.outlined) >= outlineFor {
		list, err := s.hostFor(s.store, s).EvidenceOutline(ctx)
		if err == nil {
			s.outline, s.outlined = list, time.Now()
		}
	}
	if !s.outlined.IsZero() {
		m.Evidence = &s.outline
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.began.IsZero() {
		m.Tracer = &metrics.Tracer{Hook: s.hook, Lost: s.soFar.Lost,
			LossUnknown: s.soFar.LossUnknown}
		m.Learning = &metrics.Learning{Began: s.began, Running: s.soFar.Live,
			Recorded: s.soFar.Containers, Capabilities: s.soFar.Needs}
	}
	return m
}

// alive tells systemd's watchdog once a minute that the recording goes on, and what it has come to.
func (s *learnService) alive(p host.LearnedSoFar) {
	if time.Since(s.reported) < time.Minute {
		return
	}
	s.reported = time.Now()
	sdnotify.Send(fmt.Sprintf("WATCHDOG=1\nSTATUS=%s running, %d so far, %s lost",
		printable.Count(p.Live, "container"), p.Containers, printable.Count(int(p.Lost), "check")))
}
