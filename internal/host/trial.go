package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/deny"
	"dropcap/internal/plan"
	"dropcap/internal/store"
	"dropcap/internal/trial"
)

// TrialRequest says what to try without, for how long, and what must go on.
type TrialRequest struct {
	Names []string // ids, beginnings of ids, or names
	// Drop is what to deny; empty: what a plan by Policy would drop.
	Drop     caps.Set
	Policy   dropcap.Policy
	For      time.Duration
	Tolerant bool // go on where programs often do without
	Strict   bool // one decisive denial lifts all of its container
	Complete bool // everything that the containers do is exercised meanwhile
	Execs    bool // what docker exec runs is part of the workload
	Probe    trial.Probe
	Hook     string // forces a kernel hook; empty: the best that works
}

// TrialBegun reports a trial from which on something is denied.
type TrialBegun struct{ Trial dropcap.Trial }

func (TrialBegun) isProgress() {}

// TrialSoFar reports a trial when it has changed, and once a second.
type TrialSoFar struct{ Trial dropcap.Trial }

func (TrialSoFar) isProgress() {}

// TrialsBegun reports that all trials of a request have begun, or were refused.
type TrialsBegun struct{ Count int }

func (TrialsBegun) isProgress() {}

// Trying runs trials in this process. Close it.
type Trying struct {
	host    *Host
	session *Session
	store   *store.Store
	runner  *trial.Runner
	denier  *deny.Denier
	cancel  context.CancelFunc
	ended   chan struct{}
	err     error // of the run, once ended
	closed  sync.Once
}

// Try opens what trials need: the kernel's hook, the engine and the store. Nothing is denied before
// Begin. The trials end with ctx, with Close, and with this process.
func (h *Host) Try(ctx context.Context, hook string) (*Trying, error) {
	session, err := h.Open(ctx)
	if err != nil {
		return nil, err
	}
	t := &Trying{host: h, session: session, ended: make(chan struct{})}
	if err := t.open(ctx, hook); err != nil {
		t.release()
		return nil, err
	}
	return t, nil
}

func (t *Trying) open(ctx context.Context, hook string) error {
	_, here, err := t.session.learnable(ctx)
	if err != nil {
		return notHere(err)
	}
	if t.denier, err = deny.Open(deny.Options{Hook: hook}); err != nil {
		return err
	}
	if t.store, err = store.Open(t.host.config.Store); err != nil {
		return err
	}
	keeper, err := newTrialKeeper(t.store, here.ID)
	if err != nil {
		return err
	}
	t.runner = trial.New(trialKernel{t.denier}, trialEngine{newLearnEngine(t.session)}, keeper,
		trial.Options{
			Host: here.ID,
			Tell: func(d dropcap.Trial) { t.host.observer.Progress(TrialSoFar{d}) },
			Warn: t.host.observer.Warn,
		})
	ctx, t.cancel = context.WithCancel(ctx)
	go func() {
		defer close(t.ended)
		t.err = t.runner.Run(ctx)
	}()
	return nil
}

// notHere says of what a trial, rather than a recording, is refused.
func notHere(err error) error {
	if CodeOf(err) != dropcap.CodeHost {
		return err
	}
	return dropcap.Errorf(dropcap.CodeHost, "run dropcap on the engine's own host",
		"cannot try here: %w", err)
}

// Hook is the kernel hook that denies.
func (t *Trying) Hook() string { return t.denier.Hook() }

// Begin begins the trial of one container.
func (t *Trying) Begin(ctx context.Context, q trial.Request) (trial.Begun, error) {
	return t.runner.Begin(ctx, q)
}

// Running returns the trials of this process that run.
func (t *Trying) Running(ctx context.Context) ([]dropcap.Trial, error) {
	return t.runner.Running(ctx)
}

// Stop ends the trial of a container, by its id, if this process has one.
func (t *Trying) Stop(ctx context.Context, container, because string) error {
	return t.runner.Stop(ctx, container, because)
}

// Close ends all trials and writes that down. The error is what went wrong with them.
func (t *Trying) Close() error {
	t.closed.Do(func() {
		t.cancel()
		<-t.ended
		t.release()
	})
	return t.err
}

func (t *Trying) release() {
	if t.denier != nil {
		t.denier.Close()
	}
	if t.store != nil {
		t.store.Close()
	}
	t.session.Close()
}

// Trial denies capabilities to containers until the time is over, a person ends it, or nothing is
// left to deny. The end of ctx ends it as a person would. The document has the trials as they
// ended; it is set even with an error if one has begun. incomplete reports that a container could
// not be tried, or that checks were lost.
func (h *Host) Trial(ctx context.Context, q TrialRequest) (doc dropcap.Trials, incomplete bool,
	err error) {
	t, err := h.Try(context.WithoutCancel(ctx), q.Hook)
	if err != nil {
		return doc, false, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	requests, incomplete, err := t.requests(ctx, q)
	if err != nil {
		return doc, incomplete, err
	}
	begun, refused, err := t.beginAll(ctx, requests)
	incomplete = incomplete || refused
	if err != nil {
		return doc, incomplete, err
	}
	h.observer.Progress(TrialsBegun{len(begun)})
	doc = dropcap.Trials{Schema: dropcap.SchemaTrial, Trials: []dropcap.Trial{}}
	for _, b := range begun {
		d, err := t.await(ctx, b)
		if err != nil {
			return doc, true, err
		}
		incomplete = incomplete || d.Lost > 0
		doc.Trials = append(doc.Trials, d)
	}
	return doc, incomplete, nil
}

// await waits for the end of a trial, and ends it if ctx does.
func (t *Trying) await(ctx context.Context, b trial.Begun) (dropcap.Trial, error) {
	d, err := b.Wait(ctx)
	if err == nil || ctx.Err() == nil {
		return d, err
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	if err := t.Stop(work, b.Container, "a person ended it"); err != nil {
		return d, err
	}
	return b.Wait(work)
}

// beginAll begins the trials. If none begins, the error says why the first did not.
func (t *Trying) beginAll(ctx context.Context, list []trial.Request) (begun []trial.Begun,
	refused bool, err error) {
	var first error
	for _, q := range list {
		b, err := t.Begin(ctx, q)
		if err != nil {
			refused = true
			if first == nil {
				first = err
				continue
			}
			t.host.observer.Warn(err)
			continue
		}
		begun = append(begun, b)
		t.host.observer.Progress(TrialBegun{b.Trial})
	}
	if len(begun) == 0 {
		return nil, refused, first
	}
	if first != nil {
		t.host.observer.Warn(first)
	}
	return begun, refused, nil
}

// requests returns what to try of each container. What a plan would not drop is not tried, and
// said.
func (t *Trying) requests(ctx context.Context, q TrialRequest) (list []trial.Request, left bool,
	err error) {
	one := trial.Request{
		Drop: q.Drop, Named: !q.Drop.Empty(), Tolerant: q.Tolerant, For: q.For,
		Strict: q.Strict, Complete: q.Complete, Execs: q.Execs, Probe: q.Probe,
	}
	if one.Named {
		for _, name := range q.Names {
			c, err := t.session.Inspect(ctx, name)
			if err != nil {
				return nil, false, err
			}
			one.Container = c.ID
			list = append(list, one)
		}
		return list, false, nil
	}
	p, err := t.host.plan(ctx, t.session, t.store, PlanRequest{
		SeeRequest: SeeRequest{Names: q.Names}, Policy: q.Policy,
		Options: plan.Options{AcceptLow: true},
	})
	if err != nil {
		return nil, false, err
	}
	for _, s := range p.Plan.Steps {
		if why := untriable(s, p.Plan.Policy.Level); why != nil {
			left = true
			if err == nil {
				err = why
			} else {
				t.host.observer.Warn(why)
			}
			continue
		}
		one.Container, one.Drop = s.Container.ID, s.Drop
		list = append(list, one)
	}
	if len(list) > 0 && err != nil {
		t.host.observer.Warn(err)
		err = nil
	}
	return list, left, err
}

// untriable says why a step of a plan names nothing to try.
func untriable(s dropcap.Step, level dropcap.Level) error {
	switch {
	case s.Confidence == "" && level == dropcap.LevelLeast:
		return dropcap.Errorf(dropcap.CodeIncomplete,
			"`dropcap learn` records what it needs; or name what to deny with --drop",
			"cannot try %s: there is no evidence of what it needs", s.Container.Name)
	case s.Drop.Empty() && s.Refused != "":
		return dropcap.Errorf(dropcap.CodeIncomplete, s.Hint, "cannot try %s: %s",
			s.Container.Name, s.Refused)
	case s.Drop.Empty():
		return dropcap.Errorf(dropcap.CodeIncomplete, "name what to deny with --drop, or another "+
			"--level", "cannot try %s: the plan at level %s drops nothing of it",
			s.Container.Name, level)
	}
	return nil
}

// trialKernel is what denies, in a trial's terms.
type trialKernel struct{ *deny.Denier }

func (k trialKernel) Denials() ([]dropcap.KernelCheck, trial.Loss, error) {
	list, l, err := k.Denier.Denials()
	return list, trial.Loss{Of: l.UnrecordedOf, Elsewhere: l.Uncounted + l.Missed}, err
}

func (k trialKernel) Counts() (map[uint64]map[caps.Cap]uint64, error) {
	counts, err := k.Denier.Counts()
	out := make(map[uint64]map[caps.Cap]uint64, len(counts))
	for cgroup, n := range counts {
		out[cgroup] = n
	}
	return out, err
}
