package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dropcap"
)

// Gate is what a changed container must pass.
type Gate struct {
	// a program of this host and its arguments; it must exit with 0
	Probe     []string `json:"probe,omitempty"`
	ProbeExec []string `json:"probe_exec,omitempty"` // the same in the container
	// how long it must run well once it is ready
	Soak time.Duration `json:"soak"`
	// how long it may take to be ready; 0: by its healthcheck
	Timeout time.Duration `json:"timeout"`
}

// ready is how long a probe may take to succeed where neither --timeout nor a healthcheck says so.
const ready = 30 * time.Second

// patience is how long the container may take to be ready. A check that fails counts as unhealthy
// only after Retries in a row after StartPeriod (moby daemon/health.go), each of which takes up to
// Timeout; zeroes are the engine's defaults.
func (g Gate) patience(h *healthcheck) time.Duration {
	switch {
	case g.Timeout > 0:
		return g.Timeout
	case !h.checks():
		return ready
	}
	or := func(d, usual time.Duration) time.Duration {
		if d <= 0 {
			return usual
		}
		return d
	}
	retries := h.Retries
	if retries <= 0 {
		retries = 3
	}
	once := or(h.Interval, 30*time.Second) + or(h.Timeout, 30*time.Second)
	return max(ready, h.StartPeriod+h.StartInterval+time.Duration(retries)*once+5*time.Second)
}

// checks reports whether there is a healthcheck that runs.
func (h *healthcheck) checks() bool { return h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" }

// gate watches containers that were just started until all have passed. The error says which
// failed, and how.
func (r *Runner) gate(ctx context.Context, c *change, containers ...string) error {
	var all []*gating
	for _, id := range containers {
		g := r.gating(c, id)
		all = append(all, g)
		first, err := g.look(ctx)
		if err != nil {
			return g.named(err)
		}
		g.first, g.end = first, r.now().Add(c.gate.patience(first.Config.Healthcheck))
	}
	for _, g := range all {
		if err := g.healthy(ctx, g.end); err != nil {
			return g.named(err)
		}
		if err := g.probes(ctx, g.end); err != nil {
			return g.named(err)
		}
	}
	if c.gate.Soak <= 0 || len(all) == 0 {
		return nil
	}
	r.log("%s: is ready; watching it for %s", c.Title(), c.gate.Soak)
	for end := r.now().Add(c.gate.Soak); r.now().Before(end); {
		r.sleep(ctx, min(r.poll(), end.Sub(r.now())))
		for _, g := range all {
			if _, err := g.look(ctx); err != nil {
				return g.named(err)
			}
		}
	}
	for _, g := range all {
		if err := g.probes(ctx, r.now()); err != nil { // once more, and at once
			return g.named(err)
		}
	}
	return nil
}

// gating is one watch over one container.
type gating struct {
	*Runner
	c         *change
	container string                   // its id
	of        dropcap.ChangedContainer // which of the change's it is
	first     *containerState
	end       time.Time // when it has to be ready
	sick      bool      // the old one was unhealthy: the new one need not be better
}

func (r *Runner) gating(c *change, id string) *gating {
	g := &gating{Runner: r, c: c, container: id, of: c.Containers()[0]}
	g.sick = c.wasSick()
	for _, o := range c.Others {
		if o.After == id {
			g.of, g.sick = o, unhealthy(c.others[o.Before])
		}
	}
	return g
}

// named is an error that says which container it is about, if that is not the one that the change
// is named for.
func (g *gating) named(err error) error {
	if g.of.Name == g.c.Name || codeOf(err) == dropcap.CodeInterrupt {
		return err
	}
	return dropcap.Errorf(codeOf(err), hintOf(err), "%s: %w", g.of.Name, plain(err))
}

// wasSick reports whether the old one was unhealthy when it was last seen.
func (c *change) wasSick() bool {
	o, err := c.original()
	return err == nil && unhealthy(o.Inspect)
}

func unhealthy(inspect json.RawMessage) bool {
	s, err := read(inspect)
	return err == nil && s.State.Health != nil && s.State.Health.Status == "unhealthy"
}

// look inspects the container and fails if it does not run as it has since the first look, or was
// denied something.
func (g *gating) look(ctx context.Context) (*containerState, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	s, err := g.patiently(ctx, g.c, "inspect-gate", g.container)
	if err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) (*containerState, error) {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "it %s", fmt.Sprintf(format, args...))
	}
	denied := ""
	if g.Watcher != nil {
		watched := g.c.Change
		watched.Workload, watched.Name, watched.After = g.of.Workload, g.of.Name, g.container
		if denied, err = g.Watcher.Denied(ctx, watched,
			g.of.Was.Holds.Minus(g.of.Is.Holds)); err != nil {
			g.log("%s: cannot tell whether it is denied anything: %v", g.c.Name, err)
		}
	}
	switch {
	case s == nil:
		return fail("was removed by somebody")
	case denied != "":
		return nil, dropcap.Errorf(dropcap.CodeError,
			"keep it in the policy; or --no-watch, if the program can do without", "%s", denied)
	case s.State.Restarting || s.RestartCount > 0 ||
		g.first != nil && !s.State.StartedAt.Equal(g.first.State.StartedAt):
		return fail("restarts by itself%s", g.lastExit(ctx, s))
	case !s.State.Running:
		return fail("has ended with exit status %d%s", s.State.ExitCode, ofError(s.State.Error))
	case s.State.Paused:
		return fail("was paused by somebody")
	case !g.sick && s.State.Health != nil && s.State.Health.Status == "unhealthy":
		return fail("is unhealthy by its own healthcheck")
	}
	return s, nil
}

func ofError(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// patiently inspects; an engine that does not answer is waited for, since it may be starting again
// and the container may be well.
func (r *Runner) patiently(ctx context.Context, c *change, effect,
	id string) (*containerState, error) {
	for end := r.now().Add(r.patience()); ; {
		s, err := r.look(ctx, c, effect, id)
		if err == nil || r.now().After(end) || ctx.Err() != nil {
			return s, err
		}
		r.sleep(ctx, r.poll())
	}
}

// healthy waits for the healthcheck's result.
func (g *gating) healthy(ctx context.Context, end time.Time) error {
	for s := g.first; ; {
		if g.sick || !s.Config.Healthcheck.checks() ||
			s.State.Health != nil && s.State.Health.Status == "healthy" {
			return nil
		}
		if g.now().After(end) {
			return dropcap.Errorf(dropcap.CodeError, "a longer --timeout waits longer",
				"it has not become healthy in time")
		}
		g.sleep(ctx, g.poll())
		var err error
		if s, err = g.look(ctx); err != nil {
			return err
		}
	}
}

// probes runs the operator's own until they succeed, or their time is over.
func (g *gating) probes(ctx context.Context, end time.Time) error {
	another := len(g.c.members) > 0 || g.c.source != nil && sameGrant(g.of.Was, g.of.Is)
	if another && g.of.Name != g.c.Name {
		return nil // what lives in its namespaces is another program
	}
	for _, p := range []struct {
		what string
		args []string
		run  func(context.Context, []string) (string, error)
	}{{"--probe", g.c.gate.Probe, g.probe}, {"--probe-exec", g.c.gate.ProbeExec, g.probeExec}} {
		for len(p.args) > 0 {
			failed, err := p.run(ctx, p.args)
			if err == nil && failed == "" {
				break
			}
			if err != nil {
				failed = err.Error()
			}
			if _, err := g.look(ctx); err != nil {
				return err
			}
			if !g.now().Before(end) {
				return dropcap.Errorf(dropcap.CodeError, "", "its probe (%s %s) failed: %s", p.what,
					p.args[0], failed)
			}
			g.sleep(ctx, 5*g.poll())
		}
	}
	return nil
}

// probeOnce is how long one run of a probe may take.
const probeOnce = 30 * time.Second

// probe runs a program of this host. What it printed is not repeated: it may be a secret.
func (g *gating) probe(ctx context.Context, args []string) (failed string, err error) {
	result, err := g.do(ctx, g.c, dropcap.Effect{Name: "probe", Says: "probe " + g.c.Name,
		Action: &dropcap.Run{Args: args, Timeout: probeOnce}})
	if err != nil || result.Status == 0 {
		return "", err
	}
	return fmt.Sprintf("exit status %d", result.Status), nil
}

// probeExec runs a program in the container, and waits for it.
func (g *gating) probeExec(ctx context.Context, args []string) (failed string, err error) {
	body, err := json.Marshal(map[string]any{"Cmd": args, "AttachStdout": false,
		"AttachStderr": false})
	if err != nil {
		return "", err
	}
	result, err := g.do(ctx, g.c, post("probe-exec-create", "prepare the probe in "+g.c.Name,
		"/containers/"+g.container+"/exec", nil, body, 0))
	if err != nil {
		return "", err
	}
	id, err := createdID(result.Body)
	if err != nil {
		return "", err
	}
	if _, err := g.do(ctx, g.c, post("probe-exec-start", "probe in "+g.c.Name, "/exec/"+id+"/start",
		nil, json.RawMessage(`{"Detach":true}`), 0)); err != nil {
		return "", err
	}
	for end := g.now().Add(probeOnce); g.now().Before(end) && ctx.Err() == nil; g.sleep(ctx,
		g.poll()) {
		result, err := g.do(ctx, g.c, dropcap.Effect{Name: "probe-exec-result",
			Says:   "wait for the probe in " + g.c.Name,
			Action: &dropcap.Call{Method: http.MethodGet, Path: "/exec/" + id + "/json"}})
		if err != nil {
			return "", err
		}
		var e struct {
			Running  bool
			ExitCode *int
		}
		if err := json.Unmarshal(result.Body, &e); err != nil {
			return "", fmt.Errorf("read what became of the probe: %w", err)
		}
		if !e.Running && e.ExitCode != nil {
			if *e.ExitCode == 0 {
				return "", nil
			}
			return fmt.Sprintf("exit status %d", *e.ExitCode), nil
		}
	}
	return "it did not end in time", nil
}

// Split makes a command line a program and its arguments, at spaces; quotes and backslashes as a
// shell has them, but nothing else of a shell: no variables, no patterns, no pipes. False if a
// quote is left open.
func Split(line string) ([]string, bool) {
	var args []string
	var word strings.Builder
	in, quote := false, rune(0)
	runes := []rune(line)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if in {
				args, in = append(args, word.String()), false
				word.Reset()
			}
		case quote == 0 && (r == '\'' || r == '"'):
			quote, in = r, true
		case r == quote && quote != 0:
			quote = 0
		case r == '\\' && quote != '\'' && i+1 < len(runes):
			i++
			if quote == '"' && !strings.ContainsRune(`"\$`+"`", runes[i]) {
				word.WriteRune('\\')
			}
			word.WriteRune(runes[i])
			in = true
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if in {
		args = append(args, word.String())
	}
	return args, quote == 0
}
