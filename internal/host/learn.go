package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/bpf"
	"dropcap/internal/doctor"
	"dropcap/internal/evidence"
	"dropcap/internal/learn"
	"dropcap/internal/snapshot"
	"dropcap/internal/store"
)

// LearnRequest says what to record and what ends the recording. The end of the context always does,
// and is no error.
type LearnRequest struct {
	// Names are ids, id prefixes or names; none means all containers, also those that start
	// meanwhile.
	Names []string
	// For is how long to record, from when the containers run again that Restart restarts; 0 means
	// until something else ends it.
	For time.Duration
	// UntilStopped ends the recording when none of the containers runs any more.
	UntilStopped bool
	// Command is run once everything is being watched, and ends the recording when it ends.
	Command Command
	// Restart restarts the named containers once everything is being watched. The Observer is asked
	// first.
	Restart bool
	// Complete says that everything that the containers do is exercised meanwhile.
	Complete bool
	// Execs says that what docker exec runs is part of the workload.
	Execs bool
	// Hook forces a kernel hook; empty means the best that loads.
	Hook string
	// Enough is asked for a channel when the recording is over and files are still to be read; that
	// ends when the channel is closed. Nil: it takes two minutes at most.
	Enough func() <-chan struct{}
	// Service records all containers for weeks in bounded memory, of this whole process. It repeats
	// a warning only after some time, and returns no evidence: the store has it.
	Service bool
	// tap is given the tracer, and returns the one to read by; nil: no one else reads.
	tap func(learn.Tracer) learn.Tracer
}

// Learned is the result of a recording.
type Learned struct {
	// Evidence has no schema if nothing was recorded.
	Evidence dropcap.Evidence
	// Began is set once the recording has begun: from there on the end of the context is an
	// ordinary end.
	Began bool
	// Incomplete is set if a container, or its start, was not observed.
	Incomplete bool
}

// TracerOpened reports the kernel hook of a recording, and the folder of the store that it goes to.
type TracerOpened struct{ Hook, Store string }

func (TracerOpened) isProgress() {}

// LearnBegun reports that the recording watches everything.
type LearnBegun struct{}

func (LearnBegun) isProgress() {}

// LearnedSoFar reports the state of a recording once a second.
type LearnedSoFar struct {
	learn.Session
	For time.Duration // as requested
}

func (LearnedSoFar) isProgress() {}

// ImagesLeft reports how many images' files are still to be read after a recording.
type ImagesLeft struct{ Count int }

func (ImagesLeft) isProgress() {}

// LogLine is an event that a service logs.
type LogLine struct{ Text string }

func (LogLine) isProgress() {}

// Learn records which capabilities containers use, and keeps that in the store as evidence. What
// was recorded before an error is kept and returned with it.
func (h *Host) Learn(ctx context.Context, q LearnRequest) (Learned, error) {
	if q.Service {
		limitMemory()
	}
	s, err := h.Open(ctx)
	if err != nil {
		return Learned{}, err
	}
	defer s.Close()
	info, here, err := s.learnable(ctx)
	if err != nil {
		return Learned{}, err
	}
	l := &learning{host: h, request: q, engine: newLearnEngine(s),
		warnings: &learnWarnings{observer: h.observer}}
	if err := l.resolve(ctx); err != nil {
		return Learned{}, err
	}
	kept, err := store.Open(h.config.Store)
	if err != nil {
		return Learned{}, err
	}
	defer kept.Close()
	unlock, err := kept.Lock("learn")
	if err != nil {
		return Learned{}, err
	}
	defer unlock()
	t, err := openTracer(q.Hook)
	if err != nil {
		return Learned{}, err
	}
	defer t.Close()
	h.observer.Progress(TracerOpened{t.Hook(), kept.Folder()})
	if why := doctor.Untraceable(info.Engine.Name, here.Cgroup); why != "" {
		h.observer.Warn(errors.New(why))
	}
	var tracer learn.Tracer = learnTracer{t}
	if q.tap != nil {
		tracer = q.tap(tracer)
	}
	l.heldBack = func(ctx context.Context) (map[string]caps.Set, error) {
		return h.heldBack(ctx, kept)
	}
	return l.record(ctx, tracer, Keeper{Store: kept, Host: here.ID})
}

// learnable returns what engine and kernel report about this machine; the error says why it cannot
// record.
func (s *Session) learnable(ctx context.Context) (dropcap.Host, snapshot.Machine, error) {
	here := s.Machine()
	info, err := s.Host(ctx)
	if err == nil && (!here.Engine || here.Release != info.Kernel) {
		err = dropcap.Errorf(dropcap.CodeHost, "run dropcap there",
			"cannot learn here: the engine runs on another machine or in a VM")
	}
	return info, here, err
}

// openTracer names the likeliest cause in one clause, if there is one: each hook's error helps only
// root.
func openTracer(hook string) (*bpf.Tracer, error) {
	t, err := bpf.Open(bpf.Options{Hook: hook})
	if err != nil && os.Geteuid() != 0 && CodeOf(err) == dropcap.CodeHost {
		err = &dropcap.Error{
			Code: dropcap.CodeHost, Message: "cannot watch capability checks: that takes root",
			Hint: "run dropcap with sudo", Err: err,
		}
	}
	if err != nil {
		return nil, err
	}
	// Also where containers are named: a start is over by the time that the engine reports it.
	if err := t.Default(true); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// learning is one request to learn.
type learning struct {
	host     *Host
	request  LearnRequest
	engine   learnEngine
	named    map[string]string // names by id; nil: all containers
	restarts restarting        // if any are to be restarted
	members  []learn.Member
	warnings *learnWarnings
	heldBack func(context.Context) (map[string]caps.Set, error)
}

// resolve finds the named containers, and asks before any is restarted.
func (l *learning) resolve(ctx context.Context) error {
	for _, n := range l.request.Names {
		c, err := l.engine.See(ctx, n)
		if err != nil {
			return err
		}
		if l.named == nil {
			l.named = map[string]string{}
		}
		l.named[c.ID] = c.Name
	}
	if !l.request.Restart {
		return nil
	}
	l.restarts = restarting{observer: l.host.observer, client: l.engine.Client, names: l.named}
	var err error
	if l.members, err = l.restarts.members(ctx); err != nil {
		return err
	}
	if err := l.restarts.announce(ctx, l.members); err != nil {
		return err
	}
	return l.host.observer.Ask(ctx, fmt.Sprintf("Restart %s?", strings.Join(l.request.Names, ", ")))
}

// query returns what to record, except Begun.
func (l *learning) query(hostID string) learn.Query {
	o, r := l.host.observer, l.request
	q := learn.Query{
		Host: hostID, Complete: r.Complete, Execs: r.Execs, Enough: r.Enough, Warn: l.warnings.pass,
		Progress: func(s learn.Session) { o.Progress(LearnedSoFar{s, r.For}) },
		Scanning: func(left int) { o.Progress(ImagesLeft{left}) },
		HeldBack: l.heldBack,
	}
	if l.named != nil {
		q.Only = map[string]bool{}
		for id := range l.named {
			q.Only[id] = true
		}
	}
	if r.UntilStopped {
		q.Until = func(s learn.Session) bool { return s.Containers > 0 && s.Live == 0 }
	}
	if r.Service {
		q.Service, q.Read = true, serviceRead
		q.Warn = (&repeatedWarnings{observer: o, now: now}).pass
		q.Say = func(format string, args ...any) {
			o.Progress(LogLine{fmt.Sprintf(format, args...)})
		}
	}
	return q
}

// record records until something ends it, whatever that is.
func (l *learning) record(ctx context.Context, t learn.Tracer, k Keeper) (Learned, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	if l.request.For > 0 && len(l.request.Command.Args) > 0 {
		ctx, end = context.WithTimeout(ctx, l.request.For)
		defer end()
	}
	q := l.query(k.Host)
	var exercised chan error
	q.Begun = func() {
		if l.request.Service {
			releaseMemory()
		}
		l.host.observer.Progress(LearnBegun{})
		exercised = make(chan error, 1)
		go func() { exercised <- l.exercise(ctx, end) }()
	}
	list, err := learn.Run(ctx, t, l.engine, k, q)
	end()
	if exercised != nil {
		err = errors.Join(err, <-exercised)
	}
	r := Learned{Began: true}
	if !l.request.Service && (list != nil || err == nil) {
		r.Evidence = dropcap.Evidence{
			Schema: dropcap.SchemaEvidence, Workloads: evidence.Merge(list, evidence.ByHost),
		}
		if l.request.Restart {
			r.Evidence.NotStarted = l.notStarted(list)
		}
	}
	r.Incomplete = l.warnings.incomplete.Load() || len(r.Evidence.NotStarted) > 0
	return r, err
}
