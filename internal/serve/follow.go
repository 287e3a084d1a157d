package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dropcap"
	"dropcap/internal/audit"
	"dropcap/internal/host"
	"dropcap/internal/policy"
	"dropcap/internal/render"
)

const (
	// lookTime is how long a look may take before the page says that the engine does not answer.
	lookTime = 20 * time.Second
	// pingEvery is how often the engine is asked whether it is there, and the store looked at.
	pingEvery = 2 * time.Second
	pingTime  = 5 * time.Second
	// mostNamed is how many containers are looked at by themselves; for more, all are.
	mostNamed = 40
	// A look at all costs time of a core. The next one comes so many times later than that, so
	// that an idle server needs a fixed share at most.
	idleShare  = 400
	leastPause = 30 * time.Second
	mostPause  = 10 * time.Minute
)

// follow keeps what pages show true until the context ends: by the engine's events for single
// containers, by the store's changes for evidence and history, and by a look at all from time to
// time for what nobody tells of.
func (s *Server) follow(ctx context.Context) {
	o := &troubles{}
	f := &follower{Server: s, host: s.config.Host(o), observer: o,
		happened: make(chan host.Event, 1024), dirty: map[string]bool{}}
	go f.listen(ctx)
	f.all(ctx)
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-f.happened:
			f.mark(e)
			f.gather()
			f.some(ctx)
		case <-tick.C:
			f.tick(ctx)
		}
	}
}

type follower struct {
	*Server
	host     *host.Host
	happened chan host.Event
	dirty    map[string]bool // ids
	every    bool            // all are to be looked at
	next     time.Time       // when all are looked at again
	stamp    string          // of the store
	fleet    string          // the same of the controller's
	away     bool            // the engine did not answer
	missed   atomic.Bool     // an event did not fit
	observer *troubles
}

// listen passes events on. It never waits for a slow look: what does not fit means a look at all.
func (f *follower) listen(ctx context.Context) {
	for ctx.Err() == nil {
		_ = f.host.Events(ctx, func(e host.Event) { // an engine that is away is told of by others
			select {
			case f.happened <- e:
			default:
				f.missed.Store(true)
			}
		})
		pause(ctx, time.Second)
	}
}

// unimportant are events after which nothing that the page shows is another.
var unimportant = []string{"attach", "resize", "top", "exec_create", "archive-path", "copy",
	"export", "commit", "exec_detach", "health_status"}

func (f *follower) mark(e host.Event) {
	switch {
	case slices.Contains(unimportant, e.Action):
	case e.ID == "":
		f.every = true
	default:
		f.dirty[e.ID] = true
	}
}

// gather takes what has happened already, so that a storm is one look.
func (f *follower) gather() {
	for {
		select {
		case e := <-f.happened:
			f.mark(e)
		default:
			return
		}
	}
}

// some looks at the containers of which something was told.
func (f *follower) some(ctx context.Context) {
	if f.missed.Swap(false) || f.every || len(f.dirty) > mostNamed || f.away {
		f.all(ctx)
		return
	}
	if len(f.dirty) == 0 {
		return
	}
	var names []string
	for id := range f.dirty {
		names = append(names, id)
	}
	clear(f.dirty)
	f.look(ctx, names)
}

// all looks at all containers.
func (f *follower) all(ctx context.Context) {
	f.every = false
	clear(f.dirty)
	began := time.Now()
	f.look(ctx, nil)
	took := time.Since(began)
	f.next = time.Now().Add(min(max(idleShare*took, leastPause), mostPause))
	f.live.change(func() { f.live.took = took })
}

func (f *follower) look(ctx context.Context, names []string) {
	p, err := f.policyNow()
	if err != nil {
		return
	}
	stamp := f.host.StoreStamp()
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	f.observer.take()
	r, err := f.host.Audit(ctx, host.AuditRequest{Policy: p, SeeRequest: host.SeeRequest{
		Names: names, IfPresent: len(names) > 0}, Filter: audit.Filter{}})
	switch {
	case err == nil:
		f.stamp, f.away = stamp, false
		warned := f.observer.take()
		f.live.setTrouble(func(t *trouble) { t.Store = warned })
		f.live.put(r, p, names)
	case errors.Is(err, context.DeadlineExceeded):
		f.lost(dropcap.Errorf(dropcap.CodeHost, "`dropcap doctor` says more; the page goes on by "+
			"itself once it answers", "cannot see the containers: the engine has not answered "+
			"within %s", lookTime))
	case ctx.Err() == nil:
		f.lost(err)
	}
}

func (f *follower) lost(err error) {
	f.away = true
	f.live.fail(err)
}

// policyNow reads the policy that counts now.
func (f *follower) policyNow() (dropcap.Policy, error) {
	p, err := f.config.Policy()
	if err != nil {
		e := dropcap.AsError(err)
		f.live.setTrouble(func(t *trouble) { t.Policy = e.Message })
		if f.live.scene().seen {
			return p, err
		}
		return policy.BuiltIn(), nil // better than an empty page, which says so
	}
	f.live.setTrouble(func(t *trouble) { t.Policy = "" })
	return p, nil
}

// tick does what is due when nothing happens.
func (f *follower) tick(ctx context.Context) {
	ping, cancel := context.WithTimeout(ctx, pingTime)
	err := f.host.Ping(ping)
	cancel()
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, context.DeadlineExceeded):
		f.lost(dropcap.Errorf(dropcap.CodeHost, "the page goes on by itself once it answers",
			"cannot see the containers: the engine has not answered within %s", pingTime))
		return
	case err != nil:
		f.lost(err)
		return
	case f.away || time.Now().After(f.next) || !f.live.scene().seen:
		f.all(ctx)
	case f.policyChanged():
		f.all(ctx)
	}
	f.kept(ctx)
}

// policyChanged reports whether another policy counts than that of the last look.
func (f *follower) policyChanged() bool {
	p, err := f.policyNow()
	s := f.live.scene()
	changed := err == nil && (p.Digest != s.policy.Digest || p.Level != s.policy.Level)
	if changed {
		f.live.touch(topicPolicy)
	}
	return changed
}

// kept judges again if somebody has written to the store, and tells of changes elsewhere.
func (f *follower) kept(ctx context.Context) {
	elsewhere := ""
	if who := f.host.Busy("change"); who != "" && !f.work.running() {
		elsewhere = fmt.Sprintf("a change is under way elsewhere (%s)", who)
	}
	f.live.setTrouble(func(t *trouble) { t.Busy = elsewhere })
	if f.config.Fleet != nil {
		if now := f.config.Fleet.Stamp(); now != f.fleet {
			f.fleet = now
			f.live.touch(topicFleet)
		}
	}
	stamp := f.host.StoreStamp()
	if stamp == f.stamp {
		return
	}
	scene := f.live.scene()
	saved := scene.snap
	saved.Containers = slices.Clone(saved.Containers)
	r, err := f.host.Audit(ctx, host.AuditRequest{Policy: scene.policy, Saved: &saved, Ours: true})
	if err != nil {
		return // the next look tells
	}
	f.stamp = stamp
	f.live.put(r, scene.policy, nil)
	f.live.touch(topicEvidence, topicHistory)
}

// troubles is the observer of looks: it keeps what does not stop them.
type troubles struct {
	mu   sync.Mutex
	text string
}

// Progress does nothing.
func (*troubles) Progress(host.Progress) {}

// Warn keeps a warning.
func (o *troubles) Warn(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = render.Visible(dropcap.AsError(err).Message)
}

// Ask answers with no: a look asks nothing.
func (*troubles) Ask(context.Context, string) error { return errors.New("cannot ask here") }

// take returns the last warning, and forgets it.
func (o *troubles) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.text
	o.text = ""
	return text
}
