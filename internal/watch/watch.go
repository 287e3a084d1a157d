// Package watch tells what changes about the capabilities of containers, as it happens: it follows
// the engine's events, has the containers that they concern judged, and makes occurrences of what
// is beyond policy, evidence or an owner's file. It changes nothing. Whatever happens at once, what
// it asks and what it tells is bounded.
package watch

import (
	"context"
	"time"

	"dropcap"
	"dropcap/caps"
)

// World is the host that is watched.
type World interface {
	// Events sends what happens to containers until ctx ends.
	Events(ctx context.Context) (<-chan Event, error)
	// Answers asks whether the engine answers; the error says why not.
	Answers(ctx context.Context) error
	// Judge looks at the containers with these ids, or at all if there are none, and judges them by
	// what policy, evidence and changes say now. Those that are gone are missing in the result.
	Judge(ctx context.Context, ids []string) (Judgement, error)
	// Exec describes a docker exec, running or not. The error is dropcap.ErrNotFound if the engine
	// has forgotten it.
	Exec(ctx context.Context, id string) (dropcap.Exec, error)
	// Denials returns the decisive denials after changes since the last call.
	Denials(ctx context.Context) ([]Denial, error)
	// Ended returns the ids of the containers of changes that have ended since the last call: they
	// are judged otherwise now, without an event.
	Ended(ctx context.Context) ([]string, error)
}

// Event is something that happened to a container. The Actions used are create, start, restart,
// pause, unpause, update, rename, exec_start, die, destroy and reconnected.
type Event struct {
	Action, ID, Name string
	Exec             string // the id of exec_start; empty on Podman
}

// Judgement is an audit, and what it was judged by.
type Judgement struct {
	Audit  dropcap.Audit
	Took   time.Duration
	Policy dropcap.Policy
	// Changes are those of the host, the newest first.
	Changes []dropcap.Change
	// BeyondFile is by id what containers are granted and the file of their owner does not grant;
	// only of those judged by name.
	BeyondFile map[string]FileExcess
}

// FileExcess is what a container is granted beyond what its owner's file declares.
type FileExcess struct {
	Caps caps.Set
	File string // its path
}

// Denial is a decisive check of a changed container that was denied, and would have been granted
// before the change.
type Denial struct {
	Container dropcap.Container
	Change    string // its id
	Cap       caps.Cap
	By        dropcap.By
	Because   string // what fails, in one sentence
}

// Query says what to watch for, and how often. Durations that are zero have the defaults.
type Query struct {
	Host dropcap.Host
	// Present also tells what is so already at the beginning.
	Present bool
	// Every is how often all containers are looked at, whatever happens; 5 minutes.
	Every time.Duration
	// Repeat is how long the same is not told again of a container; 1 hour.
	Repeat time.Duration
	// Soon is how long before its end a waiver is told; 14 days.
	Soon time.Duration
	// Tell takes what happened. It must not block.
	Tell func(dropcap.Occurrence)
	// Report takes what is known, after each look and every few seconds. It must not block.
	Report func(State)
	// Warn takes what went wrong and is tried again.
	Warn func(error)
}

// State is what is known at a time.
type State struct {
	EngineUp  bool
	Judgement *Judgement // of all containers; nil: none yet
	Told      map[dropcap.OccurrenceKind]uint64
	Held      map[dropcap.OccurrenceKind]uint64 // see metrics.Watch
}

func (q Query) complete() Query {
	set := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	set(&q.Every, 5*time.Minute)
	set(&q.Repeat, time.Hour)
	set(&q.Soon, 14*24*time.Hour)
	if q.Report == nil {
		q.Report = func(State) {}
	}
	if q.Warn == nil {
		q.Warn = func(error) {}
	}
	return q
}

const (
	// settle is how long after an event its container is judged: what happens to several within
	// that time is one look.
	settle = 200 * time.Millisecond
	// batch is how many containers are judged at once.
	batch = 64
	// mostPending bounds the containers that wait to be judged; for more, all are looked at.
	mostPending = 4096
	// pingEvery is how often the engine is asked whether it answers, and pingTimeout how long it
	// may take.
	pingEvery   = 5 * time.Second
	pingTimeout = 10 * time.Second
	// denialsEvery is how often denials are read.
	denialsEvery = 2 * time.Second
	// lookTimeout is how long a look may take.
	lookTimeout = 5 * time.Minute
	// again is after how long a look that failed is repeated.
	again = 5 * time.Second
)

// Run watches until ctx ends, which is no error.
func Run(ctx context.Context, w World, q Query) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := w.Events(ctx)
	if err != nil {
		return err
	}
	r := newWatching(w, q.complete())
	r.want(nil)
	err = r.loop(ctx, events)
	cancel()
	r.beside.Wait()
	return err
}
