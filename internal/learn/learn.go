// Package learn records which capabilities containers use: it follows the engine's events, asks the kernel's counters, and hands what each
// container was seen to need to the store. It restarts or changes nothing.
package learn

import (
	"context"
	"errors"
	"time"

	"dropcap"
)

// Tracer counts capability checks in the kernel: of every container from its first check on, unless Watch turned it off.
type Tracer interface {
	// Sightings gives the cgroups that were first seen since the last call and are called like a container's.
	Sightings() ([]Sighting, error)
	// Checks gives all that was counted and not forgotten.
	Checks() ([]dropcap.KernelCheck, Loss, error)
	// SetPhase names the phase under which a cgroup's checks are counted from now on.
	SetPhase(cgroup uint64, phase string) error
	// Watch turns the watching of a cgroup on or off.
	Watch(cgroup uint64, on bool) error
	// Forget frees what is held of a cgroup.
	Forget(cgroup uint64) error
}

// Engine tells of containers.
type Engine interface {
	// Events gives what happens to containers until ctx ends.
	Events(ctx context.Context) (<-chan Event, error)
	// Running lists the containers that run now.
	Running(ctx context.Context) ([]dropcap.Ref, error)
	// See inspects one container, with its revision, and looks at its processes. The error is ErrNotFound when it is gone.
	See(ctx context.Context, id string) (dropcap.Container, error)
	// Details gives what the noun lacks.
	Details(ctx context.Context, id string) (Details, error)
	// Cgroup is the id of a running container's own cgroup.
	Cgroup(c dropcap.Container) (uint64, error)
	// Static gives what the container's files need beyond what any check shows (file capabilities), of those that were executed.
	Static(ctx context.Context, c dropcap.Container, executed []dropcap.Executable) ([]dropcap.Need, error)
	// Written gives the paths of files that were changed or made in the container since its creation.
	Written(ctx context.Context, id string) (map[string]bool, error)
}

// Keeper stores evidence as it grows: of one source the latest counts.
type Keeper interface {
	Keep(ctx context.Context, w dropcap.WorkloadEvidence) error
}

// Sighting is a cgroup that is called like a container's.
type Sighting struct {
	Cgroup    uint64
	Name      string
	Ancestors []uint64
}

// Loss is what was not recorded.
type Loss struct {
	Checks  uint64 // of the whole host
	Of      map[uint64]uint64
	Unknown bool // the hook cannot count all that it misses
}

// Event is something that happened to a container. Of the Actions create, start, kill, die, destroy and reconnected are used.
type Event struct {
	Action, ID, Signal string
	Time               time.Time
}

// Details are what the noun lacks.
type Details struct {
	Volumes []string // where something is mounted into the container
	Ran     bool     // it has ended before
}

// Query says what to record.
type Query struct {
	Host     string             // the host's id
	Only     map[string]bool    // containers' ids; nil means all
	Until    func(Session) bool // asked every Tick; true ends the recording
	Complete bool               // the operator says that everything is exercised meanwhile, of those named, else of those that start
	Tick     time.Duration      // 1 s if zero
	Flush    time.Duration      // how often evidence is kept; 30 s if zero
	// Begun is called once everything is being watched: what is to be seen may start.
	Begun    func()
	Progress func(Session)
	// Warn is told of what is not fatal: a container that could not be attributed, a store that is full for now.
	Warn func(error)
}

// Session is what a recording has come to.
type Session struct {
	Elapsed    time.Duration
	Containers int // attributed so far
	Live       int // of them, running
	Needs      int // different capabilities that some container was granted
	Lost       uint64
}

// Run records until ctx ends, or until the query says so, and gives the evidence of each container that was recorded. What was recorded is
// kept whatever ended it; the error then says what went wrong.
func Run(ctx context.Context, t Tracer, e Engine, k Keeper, q Query) ([]dropcap.WorkloadEvidence, error) {
	q = q.complete()
	events, err := e.Events(ctx)
	if err != nil {
		return nil, err
	}
	r := &recording{t: t, e: e, k: k, q: q, began: time.Now(), byID: map[string]*watched{}, byCgroup: map[uint64]*watched{}, created: map[string]created{}}
	if err := r.present(ctx); err != nil {
		return nil, err
	}
	if q.Begun != nil {
		q.Begun()
	}
	err = r.loop(ctx, events)
	// The last look and its keeping must not fail because the user has had enough.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	err = errors.Join(err, r.sync(last))
	r.scan(last)
	r.tellBlind()
	return r.evidence(), errors.Join(err, r.keep(last))
}

// lastLook bounds what is done after the recording, of which reading the containers' files takes longest.
const lastLook = 2 * time.Minute

func (q Query) complete() Query {
	if q.Tick <= 0 {
		q.Tick = time.Second
	}
	if q.Flush <= 0 {
		q.Flush = 30 * time.Second
	}
	if q.Warn == nil {
		q.Warn = func(error) {}
	}
	if q.Progress == nil {
		q.Progress = func(Session) {}
	}
	return q
}

func (r *recording) loop(ctx context.Context, events <-chan Event) error {
	tick := time.NewTicker(r.q.Tick)
	defer tick.Stop()
	flushed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-events:
			if !ok {
				return nil
			}
			r.on(ctx, ev)
		case <-tick.C:
			if err := r.sync(ctx); err != nil {
				return err
			}
			if time.Since(flushed) >= r.q.Flush {
				flushed = time.Now()
				if err := r.keep(ctx); err != nil {
					r.q.Warn(err)
				}
			}
			s := r.session()
			r.q.Progress(s)
			if r.q.Until != nil && r.q.Until(s) {
				return nil
			}
		}
	}
}
