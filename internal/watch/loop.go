package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"dropcap"
)

// watching is one run. One goroutine owns it; what takes time runs beside it, at most one of each
// kind, and comes back through a channel.
type watching struct {
	w      World
	q      Query
	teller *teller

	pending map[string]how // ids of containers to judge, and why
	all     bool           // all are to be judged
	due     time.Time      // when the next look may begin
	looking bool
	looks   chan look
	first   bool // no look at all containers is over yet

	execs    chan execAsked
	asking   int
	answers  chan execAnswer
	pings    chan error
	pinging  bool
	up       bool
	denials  chan denialsRead
	reading  bool
	host     dropcap.Host
	names    map[string]dropcap.Container // by id: what execs are compared with
	latest   *Judgement
	beside   sync.WaitGroup // what runs beside the loop
	lastFull time.Time
}

type look struct {
	ids map[string]how // nil: all
	j   Judgement
	err error
}

type denialsRead struct {
	list  []Denial
	ended []string
	err   error
}

func newWatching(w World, q Query) *watching {
	return &watching{
		w: w, q: q, teller: newTeller(q), pending: map[string]how{}, first: true, up: true,
		looks: make(chan look, 1), pings: make(chan error, 1), host: q.Host,
		denials: make(chan denialsRead, 1), execs: make(chan execAsked, mostExecs),
		answers: make(chan execAnswer), names: map[string]dropcap.Container{},
	}
}

// want asks for a look: at containers, or at all.
func (r *watching) want(ids map[string]how) {
	if r.due.IsZero() {
		r.due = time.Now().Add(settle)
	}
	if ids == nil {
		r.all = true
	}
	for id, why := range ids {
		r.pending[id] = max(r.pending[id], why)
	}
	if len(r.pending) > mostPending {
		r.pending, r.all = map[string]how{}, true
	}
}

func (r *watching) loop(ctx context.Context, events <-chan Event) error {
	ping, denials := time.NewTicker(pingEvery), time.NewTicker(denialsEvery)
	defer ping.Stop()
	defer denials.Stop()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		alarm.Reset(time.Until(r.next()))
		select {
		case <-ctx.Done():
			r.teller.flush(time.Now(), true)
			return nil
		case ev, ok := <-events:
			if !ok && ctx.Err() == nil {
				return errors.New("the engine's events have ended")
			}
			if !ok {
				events = nil // the end
				continue
			}
			r.on(ctx, ev)
		case l := <-r.looks:
			r.looked(l)
		case a := <-r.answers:
			r.answered(a)
		case err := <-r.pings:
			r.pinged(err)
		case d := <-r.denials:
			r.denied(d)
		case <-alarm.C:
			r.teller.flush(time.Now(), false)
			r.begin(ctx)
		case <-ping.C:
			r.ping(ctx)
			if time.Since(r.lastFull) >= r.q.Every && !r.first {
				r.want(nil)
			}
		case <-denials.C:
			r.readDenials(ctx)
		}
	}
}

// next returns when something is to be done that no event announces.
func (r *watching) next() time.Time {
	next := time.Now().Add(time.Hour)
	if !r.looking && !r.due.IsZero() {
		next = r.due
	}
	if at := r.teller.stormAt; !at.IsZero() && at.Before(next) {
		next = at
	}
	return next
}

// on handles one event. It asks nobody, so that no event waits for another's answer.
func (r *watching) on(ctx context.Context, ev Event) {
	switch ev.Action {
	case "start", "restart", "unpause", "update":
		r.want(map[string]how{ev.ID: asStarted})
	case "create", "die", "pause", "rename":
		r.want(map[string]how{ev.ID: asFound})
	case "exec_start":
		r.exec(ctx, ev)
	case "destroy":
		delete(r.pending, ev.ID)
		delete(r.names, ev.ID)
		r.drop(ev.ID)
	case "reconnected": // what happened meanwhile is not known
		r.want(nil)
	}
}

// begin begins the look that is due, if none is under way.
func (r *watching) begin(ctx context.Context) {
	if r.looking || r.due.IsZero() || time.Now().Before(r.due) {
		return
	}
	var ids map[string]how
	if !r.all {
		ids = map[string]how{}
		for id, why := range r.pending {
			if ids[id] = why; len(ids) == batch {
				break
			}
		}
		if len(ids) == 0 {
			r.due = time.Time{}
			return
		}
	}
	for id := range ids {
		delete(r.pending, id)
	}
	r.looking, r.due = true, time.Time{}
	if r.all {
		r.lastFull = time.Now()
	}
	r.all = r.all && ids != nil
	r.beside.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		var some []string
		if ids != nil {
			some = slices.Sorted(maps.Keys(ids))
		}
		j, err := r.w.Judge(ctx, some)
		r.looks <- look{ids, j, err}
	})
}

// looked handles the result of a look.
func (r *watching) looked(l look) {
	r.looking = false
	if l.err != nil {
		r.failed(l)
		return
	}
	r.host = l.j.Audit.Host
	r.teller.host(r.host)
	for _, c := range l.j.Audit.Containers {
		r.names[c.ID] = slim(c.Container)
	}
	switch {
	case l.ids == nil:
		r.lookedAtAll(l.j)
	default:
		r.patch(l.j)
		for _, c := range l.j.Audit.Containers {
			r.teller.judged(c, l.j, l.ids[c.ID])
		}
	}
	if len(r.pending) > 0 || r.all {
		r.due = time.Now()
	}
	r.report()
}

func (r *watching) lookedAtAll(j Judgement) {
	how := asFound
	if r.first && !r.q.Present {
		how = asKnown
	}
	r.first, r.latest = false, &j
	names := make(map[string]dropcap.Container, len(j.Audit.Containers))
	for _, c := range j.Audit.Containers {
		names[c.ID] = slim(c.Container)
		r.teller.judged(c, j, how)
	}
	r.names = names
	r.teller.waivers(j.Policy, time.Now())
	r.teller.lookedAtAll(time.Now())
}

// patch brings what is known of all containers up to date with what is known of some.
func (r *watching) patch(j Judgement) {
	if r.latest == nil {
		return
	}
	fresh := map[string]dropcap.Judged{}
	for _, c := range j.Audit.Containers {
		fresh[c.ID] = c
	}
	next := *r.latest
	next.Audit.Containers = nil
	for _, c := range r.latest.Audit.Containers {
		if f, ok := fresh[c.ID]; ok {
			c = f
			delete(fresh, c.ID)
		}
		next.Audit.Containers = append(next.Audit.Containers, c)
	}
	for _, c := range j.Audit.Containers {
		if _, left := fresh[c.ID]; left {
			next.Audit.Containers = append(next.Audit.Containers, c)
		}
	}
	next.Audit.Summary = dropcap.Count(next.Audit.Containers)
	r.latest = &next
}

// drop forgets a container that is gone.
func (r *watching) drop(id string) {
	if r.latest == nil {
		return
	}
	next := *r.latest
	next.Audit.Containers = slices.DeleteFunc(slices.Clone(next.Audit.Containers),
		func(c dropcap.Judged) bool { return c.ID == id })
	next.Audit.Summary = dropcap.Count(next.Audit.Containers)
	r.latest = &next
}

// failed repeats a look later. An engine that is away is asked only once it is back.
func (r *watching) failed(l look) {
	r.want(l.ids)
	r.due = time.Now().Add(again)
	if errors.Is(l.err, dropcap.ErrUnreachable) {
		r.away(l.err)
		return
	}
	if !errors.Is(l.err, context.Canceled) {
		r.q.Warn(fmt.Errorf("look at the containers: %w", l.err))
	}
}

// ping asks the engine whether it answers.
func (r *watching) ping(ctx context.Context) {
	if r.pinging {
		return
	}
	r.pinging = true
	r.beside.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, pingTimeout)
		defer cancel()
		r.pings <- r.w.Answers(ctx)
	})
}

func (r *watching) pinged(err error) {
	r.pinging = false
	defer r.report()
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil:
		r.away(err)
	case !r.up:
		r.up = true
		r.teller.tell(dropcap.Occurrence{Kind: dropcap.OccurrenceEngineBack,
			Because: "the engine answers again; all containers are looked at"}, "")
		r.want(nil)
	}
}

func (r *watching) away(err error) {
	if !r.up {
		return
	}
	r.up = false
	r.teller.tell(dropcap.Occurrence{Kind: dropcap.OccurrenceEngineAway, Severity: "medium",
		Because: "the engine does not answer: " + sentence(err)}, "")
	r.report()
}

func (r *watching) readDenials(ctx context.Context) {
	if r.reading {
		return
	}
	r.reading = true
	r.beside.Go(func() {
		list, err := r.w.Denials(ctx)
		ended, failed := r.w.Ended(ctx)
		r.denials <- denialsRead{list, ended, errors.Join(err, failed)}
	})
}

func (r *watching) denied(d denialsRead) {
	r.reading = false
	if d.err != nil && !errors.Is(d.err, context.Canceled) {
		r.q.Warn(fmt.Errorf("read what was changed and denied: %w", d.err))
	}
	for _, id := range d.ended {
		r.want(map[string]how{id: asFound})
	}
	for _, x := range d.list {
		r.teller.denied(x)
	}
}

// report hands on what is known.
func (r *watching) report() {
	s := State{EngineUp: r.up, Judgement: r.latest}
	s.Told, s.Held = r.teller.counts()
	r.q.Report(s)
}

// slim returns what execs are compared with.
func slim(c dropcap.Container) dropcap.Container {
	return dropcap.Container{ID: c.ID, Name: c.Name, Image: c.Image, Workload: c.Workload,
		Declared: c.Declared, Predicted: c.Predicted}
}
