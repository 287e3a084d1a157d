package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/bpf"
	"dropcap/internal/docker"
	"dropcap/internal/doctor"
	"dropcap/internal/evidence"
	"dropcap/internal/learn"
	"dropcap/internal/render"
	"dropcap/internal/store"
)

type learnFlags struct {
	format, until, store, hook string
	span                       time.Duration
	restart, yes, complete     bool
}

func (a *app) learn() *cobra.Command {
	f := &learnFlags{}
	cmd := &cobra.Command{
		Use:   "learn [CONTAINER...] [-- COMMAND [ARG...]]",
		Short: "Record which capabilities containers really use",
		Long: `Count, in the kernel, every capability check that the containers' processes cause, and keep as evidence what each workload
needs: with the program, the system call and the place in the kernel, and what breaks without it. Without arguments all containers are
watched, also those that start meanwhile. It ends after --for, with --until stopped, when COMMAND ends, or on Ctrl-C; what was
recorded until then is kept. Nothing is changed, but --restart restarts the named containers so that their stop and start are seen.

The more of a container's life is seen, the surer the evidence: a first and a second start, a reload, a stop, an hour of work.
` + exitHelp,
		Example: `  sudo dropcap learn --for 10m
  sudo dropcap learn web db --restart --for 1h
  sudo dropcap learn --complete -- docker run --rm app:1 ./run-all-tests
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
	fl.BoolVar(&f.restart, "restart", false, "restart the named containers, to see them stop and start")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask before restarting")
	fl.BoolVar(&f.complete, "complete", false, "everything that the containers ever do is exercised meanwhile")
	fl.StringVar(&f.store, "store", doctor.DefaultStore, "the folder of the store")
	fl.StringVar(&f.hook, "hook", "", "force a kernel hook: fexit, tp_btf, raw_tp or kprobe (default: the best that loads)")
	fl.StringVar(&f.format, "format", "text", "output: text or json")
	return cmd
}

func (f *learnFlags) check(names, command []string) error {
	switch {
	case f.format != "text" && f.format != "json":
		return usageError("text or json", "cannot report in the format %q", f.format)
	case f.until != "" && f.until != "stopped":
		return usageError("for example --until stopped", "cannot record until %q", f.until)
	case f.restart && len(names) == 0:
		return usageError("for example dropcap learn --restart web", "cannot restart containers that are not named")
	case f.span < 0:
		return usageError("for example --for 10m", "cannot record for %s", f.span)
	case len(command) > 0 && f.restart:
		return usageError("do one after the other", "cannot run a command and restart containers in one recording")
	}
	return nil
}

func (a *app) runLearn(ctx context.Context, names, command []string, f *learnFlags) error {
	h, err := a.engine.open(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	here := h.machine()
	info, err := h.Host(ctx)
	if err != nil {
		return err
	}
	if !here.Engine || here.Release != info.Kernel {
		return dropcap.Errorf(dropcap.CodeHost, "run dropcap there", "cannot learn here: the engine runs on another machine or in a VM")
	}
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
	t, err := bpf.Open(bpf.Options{Hook: f.hook})
	if err != nil {
		return err
	}
	defer t.Close()
	fmt.Fprintf(a.err, "learning through %s; evidence goes to %s\n", t.Hook(), s.Folder())
	q, err := a.learnQuery(ctx, h, names, f)
	if err != nil {
		return err
	}
	q.Host = here.ID
	// Also where containers are named: by the time that the engine tells of a start it is over.
	if err := t.Default(true); err != nil {
		return err
	}
	recordCtx, end := context.WithCancel(ctx)
	defer end()
	if f.span > 0 {
		recordCtx, end = context.WithTimeout(ctx, f.span)
		defer end()
	}
	failed := make(chan error, 1)
	q.Begun = func() { go func() { failed <- a.exercise(recordCtx, end, h.Client, q.Only, command, f) }() }
	list, err := learn.Run(recordCtx, tracer{t}, learner{h}, keeper{s, here.ID}, q)
	end()
	a.clearLine()
	a.finished = true // Ctrl-C is how a recording without an end is ended
	if err := errors.Join(err, <-failed); err != nil {
		return err
	}
	return a.printEvidence(dropcap.Evidence{Schema: dropcap.SchemaEvidence, Workloads: evidence.Merge(list, evidence.ByHost)}, f.format)
}

// learnQuery resolves the names, and asks before anything is restarted.
func (a *app) learnQuery(ctx context.Context, h *host, names []string, f *learnFlags) (learn.Query, error) {
	q := learn.Query{Complete: f.complete, Warn: a.warn, Progress: a.learnProgress(f.span)}
	for _, n := range names {
		c, err := learner{h}.See(ctx, n)
		if err != nil {
			return q, err
		}
		if q.Only == nil {
			q.Only = map[string]bool{}
		}
		q.Only[c.ID] = true
	}
	if f.until == "stopped" {
		q.Until = func(s learn.Session) bool { return s.Containers > 0 && s.Live == 0 }
	}
	if f.restart && !f.yes {
		if err := a.confirm(fmt.Sprintf("Restart %s?", strings.Join(names, ", "))); err != nil {
			return q, err
		}
	}
	return q, nil
}

// exercise does what is to be watched: restarts, or a command; nothing otherwise.
func (a *app) exercise(ctx context.Context, end func(), c *docker.Client, only map[string]bool, command []string, f *learnFlags) error {
	if len(command) > 0 {
		defer end()
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 10 * time.Second
		cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.err, a.err // standard output is for the evidence
		err := cmd.Run()
		time.Sleep(time.Second) // for the last event
		if err != nil && ctx.Err() == nil {
			return dropcap.Errorf(dropcap.CodeError, "what was recorded is kept all the same", "cannot run %s to its end: %w", oneLine(command[0]), err)
		}
		return nil
	}
	if !f.restart {
		return nil
	}
	for id := range only {
		status, _, err := c.Do(ctx, http.MethodPost, "/containers/"+id+"/restart", nil, nil)
		if err == nil && status >= 400 {
			err = fmt.Errorf("the engine answers %d", status)
		}
		if err != nil && ctx.Err() == nil {
			end()
			return dropcap.Errorf(dropcap.CodeError, "see `docker ps --all` for its state", "cannot restart %s: %w", id[:12], err)
		}
	}
	return nil
}

// confirm asks on the terminal; without one the answer must have been given by --yes.
func (a *app) confirm(question string) error {
	if !isTerminal(a.err) {
		return usageError("add --yes", "cannot ask without a terminal: %s", question)
	}
	fmt.Fprintf(a.err, "%s [y/N] ", oneLine(question))
	answer, err := bufio.NewReader(io.LimitReader(a.in, 100)).ReadString('\n')
	if word := strings.ToLower(strings.TrimSpace(answer)); err != nil || word != "y" && word != "yes" {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot go on: not confirmed; nothing was done")
	}
	return nil
}

func (a *app) warn(err error) {
	a.clearLine()
	fmt.Fprintf(a.err, "dropcap: warning: %s\n", oneLine(err.Error()))
}

func (a *app) clearLine() {
	if isTerminal(a.err) {
		fmt.Fprint(a.err, "\r\033[K")
	}
}

// learnProgress shows on a terminal what was found so far.
func (a *app) learnProgress(span time.Duration) func(learn.Session) {
	if !isTerminal(a.err) {
		return nil
	}
	return func(s learn.Session) {
		of := ""
		if span > 0 {
			of = " of " + span.String()
		}
		fmt.Fprintf(a.err, "\r\033[K%s%s  %d containers, %d running  %d capabilities used  lost %d",
			s.Elapsed.Round(time.Second), of, s.Containers, s.Live, s.Needs, s.Lost)
	}
}

func (a *app) printEvidence(e dropcap.Evidence, format string) error {
	if format == "json" {
		return writeJSON(a.out, e)
	}
	return render.Evidence(a.out, e, texts, a.options(outputFlags{}))
}

// texts says a recommendation in each owner's language.
func texts(w dropcap.WorkloadEvidence) [][2]string {
	t := evidence.TextsOf(w.Recommended)
	return [][2]string{{"docker run", t.Docker}, {"compose", t.Compose}}
}
