package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/metrics"
	"dropcap/internal/store"
	"dropcap/internal/watch"
)

// LookoutRequest says what to tell of what happens on a host, and where.
type LookoutRequest struct {
	// Policy reads the policy, before each look: it may be changed meanwhile.
	Policy func() (dropcap.Policy, error)
	// Present also tells what is so already at the beginning.
	Present bool
	// Every, Repeat and Soon are as in watch.Query.
	Every, Repeat, Soon time.Duration
	// NoTracer leaves out denials after changes, for which the kernel's checks are watched.
	NoTracer bool
	Outputs  []*watch.Output
}

// Lookout follows what happens to a host's containers.
type Lookout struct {
	host    *Host
	request LookoutRequest
	session *Session
	engine  *describedEngine
	denials *afterChanges
	warn    func(error)

	// what changes returned, for which state of the store, and the states that Ended has seen; only
	// these two use them, one after the other
	latest    []dropcap.Change
	changesAt string
	states    map[string]dropcap.ChangeState

	mu     sync.Mutex
	policy *dropcap.Policy // the latest that could be read
	state  watch.State
	known  remembered
}

// Lookout opens the engine. Close it.
func (h *Host) Lookout(ctx context.Context, q LookoutRequest) (*Lookout, error) {
	p, err := q.Policy()
	if err != nil {
		return nil, err
	}
	s, err := h.Open(ctx)
	if err != nil {
		return nil, err
	}
	warn := (&repeatedWarnings{observer: h.observer, now: now}).pass
	rare := New(h.config)
	rare.observer = rarelyWarned{h.observer, warn}
	l := &Lookout{
		host: rare, request: q, warn: warn, session: s, engine: &describedEngine{Session: s},
		policy: &p, state: watch.State{EngineUp: true},
	}
	l.denials = &afterChanges{l: l, off: q.NoTracer}
	return l, nil
}

// rarelyWarned is an Observer that gets a warning again only after some time.
type rarelyWarned struct {
	Observer
	warn func(error)
}

func (r rarelyWarned) Warn(err error) { r.warn(err) }

// Close lets go of the engine and the kernel.
func (l *Lookout) Close() {
	l.denials.close()
	l.session.Close()
}

// Run tells what happens until ctx ends, which is no error.
func (l *Lookout) Run(ctx context.Context) error {
	here, err := l.engine.Host(ctx)
	if err != nil {
		return err
	}
	// The outputs end after the watch, whose last word is for them too.
	output, end := context.WithCancel(context.WithoutCancel(ctx))
	var sending sync.WaitGroup
	for _, o := range l.request.Outputs {
		sending.Go(func() { o.Run(output) })
	}
	defer func() { end(); sending.Wait() }()
	return watch.Run(ctx, lookoutWorld{l}, watch.Query{
		Host: here, Present: l.request.Present, Every: l.request.Every, Repeat: l.request.Repeat,
		Soon: l.request.Soon, Warn: l.warn,
		Tell: func(o dropcap.Occurrence) {
			for _, out := range l.request.Outputs {
				out.Tell(o)
			}
		},
		Report: func(s watch.State) {
			l.mu.Lock()
			l.state = s
			l.mu.Unlock()
			if s.Judgement != nil {
				l.host.observer.Progress(LookoutGoesOn{len(s.Judgement.Audit.Containers),
					s.EngineUp})
			}
		},
	})
}

// LookoutGoesOn reports every few seconds, once all containers have been looked at, that they are
// followed.
type LookoutGoesOn struct {
	Containers int
	EngineUp   bool
}

func (LookoutGoesOn) isProgress() {}

// Metrics returns what is known now. It asks no engine.
func (l *Lookout) Metrics(ctx context.Context) metrics.State {
	l.mu.Lock()
	s := l.state
	l.mu.Unlock()
	m := metrics.State{EngineUp: &s.EngineUp, Now: now(), Watch: &metrics.Watch{Told: s.Told,
		Held: s.Held}}
	for _, o := range l.request.Outputs {
		c := o.Count()
		m.Watch.Outputs = append(m.Watch.Outputs, metrics.Output{Name: o.Name(), Sent: c.Sent,
			Failed: c.Failed, Dropped: c.Dropped, Queue: c.Queue})
	}
	if j := s.Judgement; j != nil {
		m.Audit, m.Took, m.Policy = &j.Audit, j.Took, &j.Policy
	}
	l.denials.metrics(&m)
	l.recalled(ctx).metrics(&m)
	return m
}

// Metrics returns what is known of a host that was just judged, for whoever has no Lookout.
func (h *Host) Metrics(ctx context.Context, a dropcap.Audit, p dropcap.Policy) metrics.State {
	up := true
	m := metrics.State{EngineUp: &up, Now: now(), Audit: &a, Policy: &p}
	h.remember(ctx, true).metrics(&m)
	return m
}

// remembered is what the store knew at a time.
type remembered struct {
	memory
	stamp string // of the store's file; empty if it may have changed since
}

// recalled returns what the store knows. It is read again only if its file has changed: with a
// thousand workloads that takes a while.
func (l *Lookout) recalled(ctx context.Context) memory {
	stamp := storeStamp(l.host.config.Store)
	l.mu.Lock()
	known := l.known
	l.mu.Unlock()
	if stamp != "" && known.stamp == stamp {
		return known.memory
	}
	known = remembered{l.host.remember(ctx, true), stamp}
	if known.unread {
		known.stamp = ""
	}
	l.mu.Lock()
	l.known = known
	l.mu.Unlock()
	return known.memory
}

// changes returns the changes of now, without all else that the store knows.
func (l *Lookout) changes(ctx context.Context) (list []dropcap.Change, err error) {
	stamp := storeStamp(l.host.config.Store)
	l.mu.Lock()
	known := l.known
	l.mu.Unlock()
	if stamp != "" && known.stamp == stamp {
		return known.changes, nil
	}
	if stamp == "none" {
		return nil, nil
	}
	if stamp != "" && l.changesAt == stamp {
		return l.latest, nil
	}
	err = l.host.withStore(func(s *store.Store) error {
		list, err = s.Changes(ctx)
		return err
	})
	if err == nil {
		l.latest, l.changesAt = list, stamp
	}
	return list, err
}

// metrics adds what the store knows; of one that cannot be read nothing is known.
func (m memory) metrics(s *metrics.State) {
	if !m.unread {
		s.Evidence, s.Changes, s.Trials = &m.evidence, &m.changes, &m.trials
		s.Hardenings = &m.hardenings
	}
}

// storeStamp changes whenever somebody writes to the store. It is empty where that is not certain:
// file systems tell times in steps, so that two writes may have the same.
func storeStamp(folder string) string {
	i, err := os.Stat(filepath.Join(folder, "store.db"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "none"
	case err != nil || time.Since(i.ModTime()) < time.Second:
		return ""
	}
	return fmt.Sprintf("%d %d", i.Size(), i.ModTime().UnixNano())
}
