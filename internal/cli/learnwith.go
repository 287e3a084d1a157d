package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/evidence"
	"dropcap/internal/learn"
	"dropcap/internal/render"
)

// exercise does what is to be watched: restarts, or a command; nothing otherwise. The time of a
// recording begins when the last one is up again.
func (a *app) exercise(ctx context.Context, end func(), c *docker.Client, command []string,
	f *learnFlags) (failed error) {
	switch {
	case len(command) > 0:
		defer end()
		return a.command(ctx, command)
	case f.restart:
		r := restarting{a, c, f.named}
		members, err := r.members(ctx)
		if err != nil {
			end()
			return err
		}
		failed = r.run(ctx, members)
	}
	if f.span > 0 {
		time.AfterFunc(f.span, end)
	}
	return failed
}

// command runs what is to be watched.
func (a *app) command(ctx context.Context, line []string) error {
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.err, a.err // standard output is for the evidence
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return dropcap.Errorf(dropcap.CodeError, "what was recorded is kept all the same",
			"cannot run %s to its end: %w", oneLine(line[0]), err)
	}
	return nil
}

// confirm asks on the terminal; without one the answer must have been given by --yes.
func (a *app) confirm(ctx context.Context, question string) error {
	if !isTerminal(a.err) {
		return usageError("add --yes", "cannot ask without a terminal: %s", question)
	}
	fmt.Fprintf(a.err, "%s [y/N] ", oneLine(question))
	answers := make(chan string, 1)
	go func() {
		answer, err := bufio.NewReader(io.LimitReader(a.in, 100)).ReadString('\n')
		if err != nil {
			answer = "" // half a line is no answer
		}
		answers <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case <-ctx.Done(): // a read cannot be interrupted, and the program ends
		fmt.Fprintln(a.err)
		return dropcap.Errorf(dropcap.CodeInterrupt, "",
			"cannot go on: interrupted; nothing was done")
	case word := <-answers:
		if word != "y" && word != "yes" {
			return dropcap.Errorf(dropcap.CodeError, "",
				"cannot go on: not confirmed; nothing was done")
		}
		return nil
	}
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
	ecs := t.ECS
	if ecs == "" {
		ecs = t.ECSNote
	}
	list := [][2]string{{"docker run", t.Docker}, {"compose", t.Compose}, {"ECS", ecs},
		{"Kubernetes", t.Kubernetes}}
	if step, ok := evidence.RecommendCIS(w); ok {
		list = append(list, [2]string{"level cis", evidence.TextsOf(step).Docker +
			"   (the smaller step: nothing else changes)"})
	}
	return list
}
