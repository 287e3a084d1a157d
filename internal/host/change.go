package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/store"
)

// DefaultCallTimeout is how long a request to the engine may take while containers are changed.
const DefaultCallTimeout = 30 * time.Second

// Changing is a session in which containers may be changed: one at a time on a host. Close it.
type Changing struct {
	*apply.Runner
	Session *Session
	Store   *store.Store
	host    *Host
	close   func()
}

// Close returns up the locks and closes the session.
func (ch *Changing) Close() { ch.close() }

// Begun reports that something may change from here on: the outcome then shows the effect of an
// interrupt.
type Begun struct{}

func (Begun) isProgress() {}

// Effect reports an effect of a change, as it begins and as it ends.
type Effect struct{ apply.Progress }

func (Effect) isProgress() {}

// Recovered reports an earlier change that was finished.
type Recovered struct{ Change dropcap.Change }

func (Recovered) isProgress() {}

// Note is one line about the progress.
type Note struct{ Text string }

func (Note) isProgress() {}

// Change opens a session, and first finishes what an earlier one left.
func (h *Host) Change(ctx context.Context, callTimeout time.Duration) (*Changing, error) {
	ch, err := h.ChangeOnly(ctx, callTimeout)
	if err != nil {
		return nil, err
	}
	outcomes, err := ch.Recover(ctx)
	for _, o := range outcomes {
		h.recovered(o)
		err = errors.Join(err, o.Err)
	}
	if err != nil {
		ch.Close()
		return nil, dropcap.Errorf(CodeOf(err),
			"see `dropcap history`; nothing else is changed before this is mended",
			"cannot end an earlier change: %w", err)
	}
	return ch, nil
}

// recovered reports a change that was finished; one that was not is an error.
func (h *Host) recovered(o apply.Outcome) {
	if o.Err == nil {
		h.observer.Progress(Recovered{o.Change})
	}
}

// ChangeOnly opens a session without a recovery.
func (h *Host) ChangeOnly(ctx context.Context, callTimeout time.Duration) (*Changing, error) {
	s, err := h.Open(ctx)
	if err != nil && h.wake(ctx) {
		s, err = h.Open(ctx)
	}
	if err != nil {
		return nil, err
	}
	ch, err := h.changing(ctx, s, callTimeout)
	if err != nil {
		s.Close()
	}
	return ch, err
}

func (h *Host) changing(ctx context.Context, session *Session,
	callTimeout time.Duration) (*Changing, error) {
	info, err := session.Host(ctx)
	if err != nil {
		return nil, err
	}
	if m := session.Machine(); !m.Engine || m.Release != info.Kernel {
		return nil, dropcap.Errorf(dropcap.CodeHost,
			"run dropcap there: the journal must live beside the engine",
			"cannot change containers of %s: that engine runs on another machine or in a VM",
			session.Address())
	}
	s, err := store.Open(h.config.Store)
	if err != nil {
		return nil, err
	}
	l, err := lock(ctx, session, s)
	if err != nil {
		s.Close()
		return nil, err
	}
	compose, err := h.lockCompose(ctx, l.compose)
	if err != nil {
		l.release()
		s.Close()
		return nil, err
	}
	sweepPrivate(s.Folder())
	ch := &Changing{Session: session, Store: s, host: h}
	layers := &carriers{session: session}
	w := &watched{Executor: faulty(executor{session.Client, s, compose, layers}), arm: h.arm}
	ch.close = func() {
		w.end(s)
		layers.close()
		compose.release()
		l.release()
		s.Close()
		session.Close()
	}
	ch.Runner = &apply.Runner{
		Executor: w, Journal: s, Usual: callTimeout, Read: ReadOwnerFile,
		Boot: session.Kernel.Boot(),
		Tell: func(p apply.Progress) { h.observer.Progress(Effect{p}) },
		Log:  func(line string) { h.observer.Progress(Note{line}) },
	}
	ch.Strangers = ch.strangers
	return ch, nil
}

// wake starts an engine that a change in place had stopped when dropcap ended, and reports whether
// it did.
func (h *Host) wake(ctx context.Context) bool {
	s, err := store.Open(h.config.Store)
	if err != nil {
		return false
	}
	defer s.Close()
	start, err := apply.InPlacePending(ctx, s)
	if err != nil || start == nil {
		return false
	}
	unlock, err := s.Lock("change")
	if err != nil {
		return false // its holder starts the engine
	}
	defer func() { _ = unlock() }()
	h.observer.Warn(dropcap.Errorf(dropcap.CodeError, "",
		"the engine was stopped for a change that did not end: starting it"))
	result, err := RunProgram(ctx, dropcap.Run{Args: start, Dir: "/"})
	return err == nil && result.Status == 0
}

// Changed is the result of changing containers.
type Changed struct {
	Changes dropcap.Changes // the newest first
	// Incomplete is set if something was not tried.
	Incomplete bool
}

// Outcome summarises outcomes. It returns the worst error, and warns of the others.
func (h *Host) Outcome(list []apply.Outcome) (Changed, error) {
	r := Changed{Changes: dropcap.Changes{Schema: dropcap.SchemaChange,
		Changes: []dropcap.Change{}}}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Change.ID != "" {
			r.Changes.Changes = append(r.Changes.Changes, list[i].Change)
		}
	}
	var worst error
	for _, o := range list {
		switch {
		case errors.Is(o.Err, apply.ErrNotTried):
			r.Incomplete = true
			h.observer.Warn(fmt.Errorf("%s: %w", nameOf(o), o.Err))
		case o.Err == nil:
		case worst == nil:
			worst = o.Err
		case dropcap.Worst(dropcap.ExitOf(worst), dropcap.ExitOf(o.Err)) == dropcap.ExitOf(worst):
			h.observer.Warn(o.Err)
		default:
			h.observer.Warn(worst)
			worst = o.Err
		}
	}
	return r, worst
}

func nameOf(o apply.Outcome) string {
	if o.Change.Name != "" {
		return o.Change.Title()
	}
	return o.Step.Container.Name
}
