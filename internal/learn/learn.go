// Package learn records which capabilities containers use: it follows the engine's events, asks the
// kernel's counters, and hands what each container was seen to need to the store. It restarts or
// changes nothing.
package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dropcap"
	"dropcap/internal/image"
)

// Tracer counts capability checks in the kernel: of every container from its first check on, unless
// Watch turned it off.
type Tracer interface {
	// Sightings gives the cgroups that were first seen since the last call and are called like a
	// container's.
	Sightings() ([]Sighting, error)
	// Checks gives all that was counted and not forgotten.
	Checks() ([]dropcap.KernelCheck, Loss, error)
	// SetPhase names the phase under which a cgroup's checks are counted from now on.
	SetPhase(cgroup uint64, phase string) error
	// Watch turns the watching of a cgroup on or off.
	Watch(cgroup uint64, on bool) error
	// Forget frees what is held of cgroups.
	Forget(cgroups ...uint64) error
}

// Engine tells of containers.
type Engine interface {
	// Events gives what happens to containers until ctx ends.
	Events(ctx context.Context) (<-chan Event, error)
	// LastEvent is the time of the last event of a container that the engine has told of until now;
	// zero if it remembers none.
	LastEvent(ctx context.Context) (time.Time, error)
	// Running lists the containers that run now.
	Running(ctx context.Context) ([]dropcap.Ref, error)
	// Unstarted lists those that were made and have never been started.
	Unstarted(ctx context.Context) ([]dropcap.Ref, error)
	// See inspects one container, with its revision, and looks at its processes. The error is
	// ErrNotFound when it is gone.
	See(ctx context.Context, id string) (dropcap.Container, error)
	// Details gives what the noun lacks.
	Details(ctx context.Context, id string) (Details, error)
	// Cgroup is the id of a running container's own cgroup.
	Cgroup(c dropcap.Container) (uint64, error)
	// Files looks at a container's files, running or not, without a shell in it. It may take
	// minutes, and is called from another goroutine, as Written is. What was found until an error
	// comes with it.
	Files(ctx context.Context, id string, limits image.Limits) (image.Files, error)
	// Written gives the paths of files that were changed or made in the container since its
	// creation.
	Written(ctx context.Context, id string) (map[string]bool, error)
}

// Keeper stores evidence as it grows: of one source the latest counts. With an error nothing may be
// taken as kept.
type Keeper interface {
	Keep(ctx context.Context, list ...dropcap.WorkloadEvidence) error
	// Unscanned gives what is stored of this host whose files no recording has come to look at, and
	// Scanned adds what they show.
	Unscanned(ctx context.Context) ([]dropcap.WorkloadEvidence, error)
	Scanned(ctx context.Context, w dropcap.WorkloadEvidence, static []dropcap.Need,
		why string) error
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
	// CallsUnseen says in one clause why not what programs do with their own sets without a check
	// is seen; empty if it is.
	CallsUnseen string
}

// Event is something that happened to a container. Of the Actions create, start, kill, die,
// destroy, exec_create, exec_start, exec_die and reconnected are used.
type Event struct {
	Action, ID, Signal string
	Exec, Ran          string // of the exec events: its id, and a fingerprint of what it runs
	Name               string // the container's, then
	Time               time.Time
	At                 time.Time // when it came here, by the monotonic clock; now if zero
}

// Details are what the noun lacks.
type Details struct {
	Volumes []string  // where something is mounted into the container
	Ran     bool      // it has ended before
	Started time.Time // the last time, by the engine's clock; zero if it never was
	Entry   string    // the program that the engine starts, by path or name
	// Health is a fingerprint of what its healthcheck runs; HealthAny is set where execs cannot be
	// told from a healthcheck's.
	Health     string
	HealthAny  bool
	NoNewPrivs bool
	Seccomp    bool // it runs under a profile
}

// Query says what to record.
type Query struct {
	Host  string             // the host's id
	Only  map[string]bool    // containers' ids; nil means all
	Until func(Session) bool // asked every Tick; true ends the recording
	// the operator says that everything is exercised meanwhile, of those named, else of those that
	// start
	Complete bool
	Execs    bool          // what docker exec runs is the workload's own work
	Tick     time.Duration // 1 s if zero
	// how often the kernel's counters are read while nothing ends; each Tick if zero
	Read  time.Duration
	Flush time.Duration // how often evidence is kept; 30 s if zero
	// Service is for weeks: containers that have ended are forgotten once their evidence is kept,
	// and Run gives none of it.
	Service bool
	// Begun is called once everything is being watched: what is to be seen may start.
	Begun    func()
	Progress func(Session)
	// Scanning is told after the recording how many images' files are still to be looked at.
	Scanning func(left int)
	// Enough is asked when that looking begins, for a channel whose end ends it: what was not seen
	// is said, and left to the next recording. It takes two minutes at most in any case.
	Enough func() <-chan struct{}
	// Warn is told of what is not fatal: a container that could not be attributed, a store that is
	// full for now.
	Warn func(error)
	// Say is told of what is worth a line in a log.
	Say func(format string, args ...any)
}

// Session is what a recording has come to.
type Session struct {
	Elapsed    time.Duration
	Containers int // attributed so far
	Live       int // of them, running
	Needs      int // different capabilities that some container was granted
	Lost       uint64
}

// Run records until ctx ends, or until the query says so, and gives the evidence of each container
// that was recorded. What was recorded is kept first, whatever ended it; the error then says what
// went wrong.
func Run(ctx context.Context, t Tracer, e Engine, k Keeper,
	q Query) ([]dropcap.WorkloadEvidence, error) {
	q = q.complete()
	// what has happened is dealt with also after ctx
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	events, err := e.Events(work)
	if err != nil {
		return nil, err
	}
	r := newRecording(t, e, k, q)
	// so that one that is killed soon has kept something
	r.flushed = r.began.Add(min(0, firstFlush-q.Flush))
	r.looker, r.scanner = startLooker(work, e), startScanner(work, e)
	defer r.looker.stop()
	defer r.scanner.stop()
	if err := r.present(ctx); err != nil {
		return nil, err
	}
	r.awaitLooks(ctx)
	r.makeUp(ctx)
	if q.Begun != nil {
		q.Begun()
	}
	err = r.loop(ctx, work, events)
	r.catchUp(work, events)
	err = errors.Join(err, r.sync(true), r.keepAll(work))
	r.scanAll(work)
	r.tellBlind()
	return r.evidence(), errors.Join(err, r.keepAll(work))
}

// What is done after the recording is bounded: looks at the engine and its last events, keeping,
// and reading files, which takes longest.
const (
	lastLook  = 30 * time.Second
	lastKeep  = time.Minute
	lastScans = 2 * time.Minute
)

// keepAll stores everything, however little time is left for the rest.
func (r *recording) keepAll(work context.Context) error {
	ctx, cancel := context.WithTimeout(work, lastKeep)
	defer cancel()
	return r.keep(ctx, true)
}

// firstFlush is when evidence is kept for the first time.
const firstFlush = 5 * time.Second

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
	if q.Say == nil {
		q.Say = func(string, ...any) {}
	}
	return q
}

// loop records until ctx ends. What is being done then is done to its end: it uses work.
func (r *recording) loop(ctx, work context.Context, events <-chan Event) error {
	tick := time.NewTicker(r.q.Tick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-events:
			if !ok {
				return nil
			}
			r.on(work, ev)
		case s := <-r.looker.seen:
			r.saw(s)
		case found := <-r.scanner.found:
			r.scanned(found)
		case <-tick.C:
			if done, err := r.tick(work); done || err != nil {
				return err
			}
		}
	}
}

// catchUp follows what the engine has told of until now: on a busy machine that may be the whole
// life of what was to be seen, and is still on its way here. Then it waits for the looks that are
// under way.
func (r *recording) catchUp(work context.Context, events <-chan Event) {
	ctx, cancel := context.WithTimeout(work, lastLook)
	defer cancel()
	last, err := r.e.LastEvent(ctx)
	if err != nil {
		r.q.Warn(fmt.Errorf("the last moments may be missing: %w", err))
	}
	again := time.NewTicker(r.q.Tick)
	defer again.Stop()
	for behind := true; behind; {
		select {
		case ev, ok := <-events:
			if !ok {
				return
			}
			r.on(work, ev)
			continue
		case s := <-r.looker.seen:
			r.saw(s)
			continue
		default:
		}
		if behind = r.last.Before(last) || r.unsaid(ctx); !behind {
			break
		}
		select {
		case ev, ok := <-events:
			if !ok {
				return
			}
			r.on(work, ev)
		case s := <-r.looker.seen:
			r.saw(s)
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
	r.awaitLooks(ctx)
}

// unsaid tells whether a container has ended of whose end no event has come yet: the engine lets go
// of those who wait for it a moment before.
func (r *recording) unsaid(ctx context.Context) bool {
	refs, err := r.e.Running(ctx)
	if err != nil {
		return false
	}
	running := map[string]bool{}
	for _, ref := range refs {
		running[ref.ID] = true
	}
	for id, w := range r.byID {
		if w.live && !running[id] {
			return true
		}
	}
	return false
}

func (r *recording) tick(ctx context.Context) (done bool, err error) {
	due := time.Since(r.flushed) >= r.q.Flush
	if err := r.sync(due); err != nil {
		return true, err
	}
	if due {
		r.flushed = time.Now()
		if err := r.keep(ctx, false); err != nil {
			r.q.Warn(err)
		}
	}
	if r.q.Until == nil && r.q.Progress == nil {
		return false, nil
	}
	s := r.session()
	if r.q.Progress != nil {
		r.q.Progress(s)
	}
	return r.q.Until != nil && r.q.Until(s), nil
}
