package cli

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/host"
	"dropcap/internal/store"
)

// changeFlags are the flags of every command that changes something.
type changeFlags struct {
	store string
	yes   bool
	usual time.Duration // --call-timeout
}

func (f *changeFlags) register(fl *pflag.FlagSet) {
	if fl.Lookup("store") == nil {
		fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store")
	}
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	fl.DurationVar(&f.usual, "call-timeout", 30*time.Second, "give up a request to the engine after this time")
	cobra.CheckErr(fl.MarkHidden("call-timeout"))
}

const changeExitHelp = `
Exit status: 0 done, or nothing to do; 1 error; 2 usage; 4 rolled back: the old container runs; 5 putting it back failed: a person is needed;
6 this host can't (no engine, no permission); 7 something was refused or not tried; 130 interrupted, after the step was finished or rolled back.`

// changing is a session in which containers of this host may be changed: one at a time on a host.
type changing struct {
	*apply.Runner
	app   *app
	host  *host.Session
	store *store.Store
	close func()
}

// change opens a session, and first brings to an end what an earlier one left unfinished. Close it.
func (a *app) change(ctx context.Context, f *changeFlags) (*changing, error) {
	ch, err := a.changeOnly(ctx, f)
	if err != nil {
		return nil, err
	}
	outcomes, err := ch.Recover(ctx)
	for _, o := range outcomes {
		a.tellRecovered(o)
		err = errors.Join(err, o.Err)
	}
	if err != nil {
		ch.close()
		return nil, dropcap.Errorf(codeOf(err), "see `dropcap history`; nothing else is changed before this is mended", "cannot end an earlier change: %w", err)
	}
	return ch, nil
}

// changeOnly opens a session without a recovery.
func (a *app) changeOnly(ctx context.Context, f *changeFlags) (*changing, error) {
	h, err := a.open(ctx)
	if err != nil && a.wake(ctx, f.store) {
		h, err = a.open(ctx)
	}
	if err != nil {
		return nil, err
	}
	ch, err := a.session(ctx, h, f)
	if err != nil {
		h.Close()
	}
	return ch, err
}

func (a *app) session(ctx context.Context, h *host.Session, f *changeFlags) (*changing, error) {
	info, err := h.Host(ctx)
	if err != nil {
		return nil, err
	}
	if here := h.Machine(); !here.Engine || here.Release != info.Kernel {
		return nil, dropcap.Errorf(dropcap.CodeHost, "run dropcap there: the journal must live beside the engine",
			"cannot change containers of %s: that engine runs on another machine or in a VM", h.Address())
	}
	s, err := store.Open(f.store)
	if err != nil {
		return nil, err
	}
	l, err := a.lock(ctx, h, s)
	if err != nil {
		s.Close()
		return nil, err
	}
	g, err := a.newGuard(ctx, l.compose)
	if err != nil {
		l.release()
		s.Close()
		return nil, err
	}
	ch := &changing{app: a, host: h, store: s}
	ch.close = func() {
		g.release()
		l.release()
		s.Close()
		h.Close()
	}
	ch.Runner = &apply.Runner{
		World: faulty(world{h.Client, s, g}), Journal: s, Usual: f.usual, Tell: a.teller(), Read: readSource,
		Log: func(line string) { a.clearLine(); fmt.Fprintf(a.err, "%s\n", oneLine(line)) },
	}
	return ch, nil
}

// begun marks that something may be changed from here on: what an interrupt means is said by the outcome. A terminal that goes away
// (SIGHUP) interrupts, too.
func (a *app) begun(ctx context.Context) (context.Context, func()) {
	a.finished = true
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// teller shows each effect that changes something as it ends; one that is repeated, such as a probe, only when it comes out otherwise.
func (a *app) teller() func(apply.Progress) {
	var last string
	return func(p apply.Progress) {
		if now := fmt.Sprint(p.Container, p.Effect.Name, p.Err); p.Ended && now != last {
			a.tellProgress(p)
			if p.Effect.Call == nil || p.Effect.Call.Method != "GET" {
				last = now
			}
		}
	}
}

func (a *app) tellProgress(p apply.Progress) {
	if !p.Ended || p.Effect.Note != nil || strings.HasPrefix(p.Effect.Name, "probe-exec-") || p.Effect.Call != nil && p.Effect.Call.Method == "GET" {
		return
	}
	a.clearLine()
	how := fmt.Sprintf("%.3f s", p.Took.Seconds())
	if p.Err != nil {
		how = "failed: " + p.Err.Error()
	}
	fmt.Fprintf(a.err, "  %-18s %s: %s\n", p.Effect.Name, oneLine(p.Effect.Says), oneLine(how))
}

func (a *app) tellRecovered(o apply.Outcome) {
	if o.Err != nil {
		return // it is told as the error
	}
	fmt.Fprintf(a.err, "recovered change %s of %s: %s\n", o.Change.ID, oneLine(o.Change.Name), o.Change.State)
}

// outcome gives the error that stands for several, and tells the others.
func (a *app) outcome(list []apply.Outcome) error {
	var worst error
	for _, o := range list {
		switch {
		case errors.Is(o.Err, apply.ErrNotTried):
			a.status = dropcap.Worst(a.status, dropcap.ExitIncomplete)
			a.warn(fmt.Errorf("%s: %w", nameOf(o), o.Err))
		case o.Err == nil:
		case worst == nil:
			worst = o.Err
		case dropcap.Worst(dropcap.ExitOf(worst), dropcap.ExitOf(o.Err)) == dropcap.ExitOf(worst):
			a.warn(o.Err)
		default:
			a.warn(worst)
			worst = o.Err
		}
	}
	return worst
}

func nameOf(o apply.Outcome) string {
	if o.Change.Name != "" {
		return o.Change.Name
	}
	return o.Step.Container.Name
}

func codeOf(err error) dropcap.Code {
	var e *dropcap.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return dropcap.CodeError
}

// changesIn gives the changes of outcomes, the newest first, as a document.
func changesIn(list []apply.Outcome) dropcap.Changes {
	doc := dropcap.Changes{Schema: dropcap.SchemaChange, Changes: []dropcap.Change{}}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Change.ID != "" {
			doc.Changes = append(doc.Changes, list[i].Change)
		}
	}
	return doc
}
