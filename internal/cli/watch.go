package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/exporter"
	"dropcap/internal/cli/file"
	"dropcap/internal/cli/sdnotify"
	"dropcap/internal/host"
	"dropcap/internal/journald"
	"dropcap/internal/metrics"
	"dropcap/internal/printable"
	"dropcap/internal/render"
	"dropcap/internal/watch"
	"dropcap/internal/webhook"
)

type watchFlags struct {
	format, policy, level, store string
	journal, webhook, secret     string
	metrics                      string
	present, quiet, noTracer     bool
	every, repeat, soon          time.Duration
}

func (a *app) watch() *cobra.Command {
	f := &watchFlags{}
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Tell what changes about containers' capabilities, as it happens",
		Long: `Follow the engine's events, and tell at once when a container starts that holds more
than policy, evidence or its compose file allows; when a docker exec holds more than its container;
when somebody undid a change of dropcap's; when a changed container is denied what it was granted
before; when a waiver expires soon; when a container cannot be judged; and when the engine goes
away and comes back. It goes on until Ctrl-C, and changes nothing.

Each occurrence is one line of text, or one JSON document (dropcap.occurrence/v1) on a line. It can
also go into systemd's journal and, signed, to a webhook. The same is told once in --repeat of a
container; of what happens by the hundred at once the first fifty, and the number of the others.

--metrics exports what is known to Prometheus. docs/watch.md and docs/metrics.md have the details.
` + watchExit,
		Example: `  sudo dropcap watch
  sudo dropcap watch --format json | jq -r '.name + ": " + .because'
  sudo dropcap watch --quiet --journal
  sudo dropcap watch --webhook https://alerts.example.com/dropcap --webhook-secret-file /etc/dropcap/secret
  sudo dropcap watch --quiet --metrics 127.0.0.1:9464`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runWatch(cmd.Context(), f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.format, "format", "text", "output: text or json")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print no occurrences")
	fl.BoolVar(&f.present, "present", false, "also tell what is so already")
	fl.StringVar(&f.policy, "policy", "", "policy file (default: /etc/dropcap/policy.yaml)")
	fl.StringVar(&f.level, "level", "",
		"how much to demand: cis or least (default: the policy's, else cis)")
	fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store")
	fl.DurationVar(&f.every, "every", 5*time.Minute,
		"look at all containers this often, whatever happens")
	fl.DurationVar(&f.repeat, "repeat", time.Hour,
		"tell the same of a container again after this long")
	fl.DurationVar(&f.soon, "soon", 14*24*time.Hour, "tell a waiver this long before it expires")
	fl.BoolVar(&f.noTracer, "no-tracer", false,
		"do not watch the kernel's checks for denials after changes")
	fl.StringVar(&f.journal, "journal", "", "also write to systemd's journal")
	fl.Lookup("journal").NoOptDefVal = journald.Socket
	fl.StringVar(&f.webhook, "webhook", "",
		"also post to this address: https, or http on this machine")
	fl.StringVar(&f.secret, "webhook-secret-file", "",
		"the file with the secret that signs what is posted; nobody else may read it")
	fl.StringVar(&f.metrics, "metrics", "", exporter.Usage)
	return cmd
}

const watchExit = `
Exit status: 0 it was ended; 1 error; 2 usage; 6 this host can't (no engine, no permission).`

func (f *watchFlags) check() error {
	switch {
	case f.format != "text" && f.format != "json":
		return usageError("text or json", "cannot report in the format %q", f.format)
	case f.every < time.Second:
		return usageError("for example --every 5m", "cannot look every %s", f.every)
	case f.repeat < 0 || f.soon < 0:
		return usageError("for example --repeat 1h --soon 336h",
			"cannot use a time that is negative")
	case f.webhook != "" && f.secret == "":
		return usageError("(umask 077; head -c 32 /dev/urandom | base64 >/etc/dropcap/secret), "+
			"and --webhook-secret-file /etc/dropcap/secret",
			"cannot post to a webhook without a secret to sign with")
	case f.webhook == "" && f.secret != "":
		return usageError("for example --webhook https://alerts.example.com/dropcap",
			"cannot use a webhook's secret without --webhook")
	case f.quiet && f.journal == "" && f.webhook == "" && f.metrics == "":
		return usageError("add --journal, --webhook or --metrics, or leave --quiet out",
			"cannot watch for nobody")
	}
	return nil
}

func (a *app) runWatch(ctx context.Context, f *watchFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	outputs, err := a.outputs(f)
	if err != nil {
		return err
	}
	l, err := a.hostFor(f.store, &watchObserver{observer: observer{a}}).Lookout(ctx,
		host.LookoutRequest{
			Policy: func() (dropcap.Policy, error) {
				return a.loadPolicy(ctx, f.policy, f.level)
			},
			Present: f.present, Every: f.every, Repeat: f.repeat, Soon: f.soon,
			NoTracer: f.noTracer, Outputs: outputs,
		})
	if err != nil {
		return err
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if p, ok := a.out.(*pipe); ok && !f.quiet && len(outputs) == 1 && f.metrics == "" {
		p.whenGone = cancel // nobody reads any more
	}
	if f.metrics != "" {
		e, err := exporter.Open(f.metrics, func(ctx context.Context) metrics.State {
			s := l.Metrics(ctx)
			s.Version = version()
			return s
		}, a.warn)
		if err != nil {
			return err
		}
		defer e.Close()
	}
	a.finished = true // Ctrl-C is how it is ended
	err = l.Run(ctx)
	sdnotify.Send("STOPPING=1")
	return err
}

// outputs are where occurrences go.
func (a *app) outputs(f *watchFlags) (list []*watch.Output, err error) {
	if !f.quiet {
		list = append(list, watch.NewOutput("stdout", lineSender{a.out, f.format == "json"},
			a.warn))
	}
	if f.journal != "" {
		j, err := journald.Open(f.journal)
		if err != nil {
			return nil, err
		}
		list = append(list, watch.NewOutput("journal", j, a.warn))
	}
	if f.webhook != "" {
		secret, err := file.Secret(f.secret)
		if err != nil {
			return nil, err
		}
		w, err := webhook.New(f.webhook, secret, "dropcap/"+version())
		if err != nil {
			return nil, err
		}
		list = append(list, watch.NewOutput("webhook", w, a.warn))
	}
	return list, nil
}

// lineSender writes occurrences as lines.
type lineSender struct {
	w      io.Writer
	asJSON bool
}

func (s lineSender) Send(_ context.Context, o dropcap.Occurrence) error {
	if s.asJSON {
		return render.JSONLine(s.w, o)
	}
	return render.Occurrence(s.w, o)
}

// watchObserver tells a person and systemd that the watch has begun, and the latter once a minute
// that it goes on.
type watchObserver struct {
	observer
	began bool
	told  time.Time
}

func (o *watchObserver) Progress(p host.Progress) {
	on, ok := p.(host.LookoutGoesOn)
	if !ok {
		o.observer.Progress(p)
		return
	}
	containers := printable.Count(on.Containers, "container")
	if !o.began {
		o.began = true
		o.say("watching %s", containers)
		sdnotify.Send("READY=1")
	}
	if time.Since(o.told) < time.Minute {
		return
	}
	o.told = time.Now()
	if !on.EngineUp {
		containers += "; the engine does not answer"
	}
	sdnotify.Send("WATCHDOG=1\nSTATUS=watching " + containers)
}
