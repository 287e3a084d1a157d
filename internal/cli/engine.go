package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

// engineFlags say which engine to talk to: docker's own flags, with its own meaning and environment
// variables.
type engineFlags struct {
	host, context, config string
	timeout               time.Duration
	tls                   docker.TLS
}

func (e *engineFlags) register(f *pflag.FlagSet) {
	f.StringVarP(&e.host, "host", "H", "",
		"engine to talk to: unix://, tcp:// or ssh:// (default: DOCKER_HOST, or the context's)")
	f.StringVarP(&e.context, "context", "c", "",
		"docker context to use (default: DOCKER_CONTEXT, or the current one)")
	f.StringVar(&e.config, "config", "",
		"docker's folder of client configuration (default: DOCKER_CONFIG, or ~/.docker)")
	f.DurationVar(&e.timeout, "timeout", 30*time.Second,
		"give up a request to the engine after this time")
	f.BoolVar(&e.tls.Enable, "tls", false, "use TLS")
	f.BoolVar(&e.tls.Verify, "tlsverify", false,
		"use TLS and verify the engine (default: DOCKER_TLS_VERIFY)")
	f.StringVar(&e.tls.CAFile, "tlscacert", "", "trust certificates that are signed by this CA")
	f.StringVar(&e.tls.CertFile, "tlscert", "", "TLS certificate")
	f.StringVar(&e.tls.KeyFile, "tlskey", "", "TLS key")
}

// open connects to the engine.
func (a *app) open(ctx context.Context) (*host.Session, error) { return a.host("").Open(ctx) }

// host is the host that the flags name, with its store in that folder.
func (a *app) host(store string) *host.Host { return a.hostWatched(store, a.watchCommand(store)) }

func (a *app) hostWatched(store string, watch []string) *host.Host {
	return a.newHost(store, watch, terminal{a})
}

// hostFor is the same, for another observer.
func (a *app) hostFor(store string, o host.Observer) *host.Host {
	return a.newHost(store, a.watchCommand(store), o)
}

func (a *app) newHost(store string, watch []string, o host.Observer) *host.Host {
	e := a.engine
	return host.New(host.Config{Store: store, Watch: watch, Observer: o, Engine: docker.Options{
		Host: e.host, Context: e.context, ConfigDir: e.config, TLS: e.tls, Timeout: e.timeout,
		UserAgent: "dropcap/" + version(),
	}})
}

// terminal tells what a host reports on standard error, and asks there.
type terminal struct{ *app }

func (t terminal) Progress(p host.Progress) {
	switch p := p.(type) {
	case host.Looked:
		if t.looked != nil {
			t.looked(p.Done, p.Total)
		}
	case host.Effect:
		t.tellEffect(p.Progress)
	case host.PlanMade:
		if t.showPlan {
			if err := render.Plan(t.err, "text", p.Plan, t.options(outputFlags{})); err != nil {
				t.warn(err)
			}
		}
	case host.Begun:
		t.finished = true
	case host.Recovered:
		fmt.Fprintf(t.err, "recovered change %s of %s: %s\n", p.Change.ID, oneLine(p.Change.Name),
			p.Change.State)
	case host.Note:
		t.clearLine()
		fmt.Fprintf(t.err, "%s\n", oneLine(p.Text))
	}
}

func (t terminal) Warn(err error) { t.warn(err) }

// Ask asks, unless the answer was given by --yes.
func (t terminal) Ask(ctx context.Context, question string) error {
	if t.yes {
		return nil
	}
	return t.confirm(ctx, question)
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

// say prints a line about what goes on.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.err, "dropcap: %s\n", oneLine(fmt.Sprintf(format, args...)))
}
