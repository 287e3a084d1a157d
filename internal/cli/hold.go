package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/cli/sdnotify"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/render"
)

type holdFlags struct {
	drop, level, policy, until, format, store, hook string
	release, list, service                          bool
}

func (a *app) hold() *cobra.Command {
	f := &holdFlags{}
	cmd := &cobra.Command{
		Use:   "hold [CONTAINER|WORKLOAD...]",
		Short: "Deny capabilities to workloads until a date, where a change has to wait",
		Long: `Have the kernel deny capabilities to the programs of workloads, as a lasting measure
where a change has to wait: for a change window, for the next deployment, or for good. Nothing is
restarted or re-created. What a plan at --level would drop is denied, or what --drop names, and
unlike a trial nothing is lifted by itself: try it first.

A hold is of a workload, and so of all its containers, those made later too. It is written to the
store first, pinned in the kernel, and goes on when dropcap or the engine ends. The unit
dropcap-hold.service holds again after a boot, before the engine starts anything, and holds new
containers before their own program runs. Without it a hold covers the containers that are there,
and ends with a reboot.

audit shows such findings as mitigated, and never as passed. A hold ends at --until (a date, a time
or a span; "released" stands for no end) or with --release; "dropcap backout" takes it back, too. A
container cannot lift it; whoever may write bpffs can. docs/hold.md tells what it cannot deny.
` + holdExit,
		Example: `  sudo dropcap hold web --until 2026-12-31
  sudo dropcap hold compose:shop/web --drop NET_RAW,MKNOD --until released
  sudo dropcap hold --list
  sudo dropcap hold --release web
  sudo systemctl enable --now dropcap-hold`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(args); err != nil {
				return err
			}
			return a.runHold(cmd.Context(), args, f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.until, "until", "",
		`hold until then: 2026-12-31, 2026-12-31T06:00:00Z, 72h, or "released"`)
	fl.StringVar(&f.drop, "drop", "", "deny these, for example NET_RAW,MKNOD")
	fl.StringVar(&f.level, "level", "",
		"deny what a plan would drop: cis or least (default: the policy's, else cis)")
	fl.StringVar(&f.policy, "policy", "", "policy file (default: as for audit)")
	fl.BoolVar(&f.release, "release", false,
		"end the holds of these containers or workloads, or all")
	fl.BoolVar(&f.list, "list", false, "list the holds of this host, running and over")
	fl.BoolVar(&f.service, "service", false,
		"keep what is held, and hold new containers; for the unit")
	fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store")
	fl.StringVar(&f.hook, "hook", "", "force a kernel hook: fmod_ret/security_capable or "+
		"lsm/capable (default: the best that works)")
	fl.StringVar(&f.format, "format", "text", "output: text or json")
	return cmd
}

const holdExit = `
Exit status: 0 done; 1 error; 2 usage; 6 this host can't (no engine, not root, no hook that denies,
no bpf file system); 7 incomplete (the plan drops nothing); 130 interrupted.`

func (f *holdFlags) check(names []string) error {
	others := 0
	for _, is := range []bool{f.release, f.list, f.service, f.until != ""} {
		if is {
			others++
		}
	}
	switch {
	case f.format != "text" && f.format != "json":
		return usageError("text or json", "cannot report in the format %q", f.format)
	case others > 1:
		return usageError("give one of them",
			"cannot combine --until, --release, --list and --service")
	case (f.service || f.list) && len(names) > 0:
		return usageError("without names", "cannot list or serve single containers")
	case !f.release && !f.list && !f.service && len(names) == 0:
		return usageError("for example dropcap hold web --until 2026-12-31",
			"cannot hold: no container is named")
	case others == 0:
		return usageError("for example --until 2026-12-31, or --until released",
			"cannot hold: it is not said until when")
	case f.drop != "" && (f.level != "" || f.policy != ""):
		return usageError("give one of them", "cannot use --drop together with what a plan says")
	}
	return nil
}

func (a *app) runHold(ctx context.Context, names []string, f *holdFlags) error {
	h := a.host(f.store)
	var doc dropcap.Trials
	var err error
	switch {
	case f.service:
		return a.serveHolds(ctx, f)
	case f.list:
		doc, err = h.Holds(ctx)
	case f.release:
		doc, err = h.ReleaseHolds(ctx, names)
	default:
		var q host.HoldRequest
		if q, err = a.holdRequest(ctx, names, f); err != nil {
			return err
		}
		doc, err = h.Hold(ctx, q)
		if err == nil && !h.HoldServed() {
			a.say("dropcap-hold.service does not run: new containers of the workload are not held, " +
				"and a reboot ends what is held; `systemctl enable --now dropcap-hold` starts it")
		}
	}
	if err != nil && len(doc.Trials) == 0 {
		return err
	}
	if f.format == "json" {
		if e := writeJSON(a.out, doc); e != nil {
			return e
		}
		return err
	}
	if e := render.HoldTable(a.out, doc, a.options(outputFlags{})); e != nil {
		return e
	}
	return err
}

func (a *app) holdRequest(ctx context.Context, names []string,
	f *holdFlags) (q host.HoldRequest, err error) {
	q = host.HoldRequest{Names: names, Hook: f.hook}
	if q.Until, err = untilWhen(f.until, time.Now()); err != nil {
		return q, err
	}
	if f.drop != "" {
		if q.Drop, err = caps.ParseAll(strings.Split(f.drop, ",")); err != nil {
			return q, usageError("for example --drop NET_RAW,MKNOD", "cannot hold without %s: %w",
				f.drop, err)
		}
		return q, nil
	}
	q.Policy, err = a.loadPolicy(ctx, f.policy, f.level)
	return q, err
}

// untilWhen reads a date, whose end is meant, a time or a span; the zero time stands for no end.
func untilWhen(text string, now time.Time) (time.Time, error) {
	if text == "released" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if day, e := time.ParseInLocation(time.DateOnly, text, time.Local); e == nil {
		at, err = day.AddDate(0, 0, 1), nil
	} else if span, e := time.ParseDuration(text); e == nil {
		at, err = now.Add(span), nil
	}
	if err != nil {
		return at, usageError("for example 2026-12-31, 2026-12-31T06:00:00Z, 72h or released",
			"cannot hold until %q: that is no time", text)
	}
	if !at.After(now) {
		return at, usageError("name a time to come", "cannot hold until %s: that is past",
			at.Format(time.RFC3339))
	}
	return at, nil
}

func (a *app) serveHolds(ctx context.Context, f *holdFlags) error {
	err := a.hostFor(f.store, &holdService{observer{a}}).HoldService(ctx)
	if err == nil {
		a.finished = true // it ends when it is told to
		sdnotify.Send("STOPPING=1")
	}
	return err
}

// holdService logs to standard error, and reports to systemd.
type holdService struct{ observer }

func (s *holdService) Progress(p host.Progress) {
	begun, is := p.(host.HoldBegun)
	if !is {
		s.observer.Progress(p)
		return
	}
	running := printable.Count(begun.Holds, "hold")
	s.say("keeping %s", running)
	sdnotify.Send(fmt.Sprintf("READY=1\nSTATUS=%s", running))
}
