// Package learn records which capabilities containers use: it follows the engine's events, reads
// the kernel's counters, and passes what each container needed to the store. It restarts or changes
// nothing.
package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/image"
)

// Tracer counts capability checks in the kernel: those of every container from its first check on,
// unless Watch turned it off.
type Tracer interface {
	// Sightings returns the cgroups with a container's name that first appeared since the last
	// call.
	Sightings() ([]Sighting, error)
	// Checks returns everything counted and not forgotten.
	Checks() ([]dropcap.KernelCheck, Loss, error)
	// SetPhase names the phase under which a cgroup's checks are counted from now on.
	SetPhase(cgroup uint64, phase string) error
	// Watch switches the watching of a cgroup on or off.
	Watch(cgroup uint64, on bool) error
	// Forget frees what is kept of cgroups.
	Forget(cgroups ...uint64) error
}

// Engine is the part of a container engine that a recording uses.
type Engine interface {
	// Events sends what happens to containers until ctx ends.
	Events(ctx context.Context) (<-chan Event, error)
	// LastEvent returns the time of the last container event that the engine has sent until now;
	// zero if it has none.
	LastEvent(ctx context.Context) (time.Time, error)
	// Running lists the running containers.
	Running(ctx context.Context) ([]dropcap.Ref, error)
	// Unstarted lists the containers that were created and never started.
	Unstarted(ctx context.Context) ([]dropcap.Ref, error)
	// See inspects one container, with its revision and its processes. The error is ErrNotFound if
	// it is gone.
	See(ctx context.Context, id string) (dropcap.Container, error)
	// Details returns what the noun lacks.
	Details(ctx context.Context, id string) (Details, error)
	// Cgroup returns the id of a running container's own cgroup.
	Cgroup(c dropcap.Container) (uint64, error)
	// Files scans a container's files, running or not, without a shell in it. It may take minutes,
	// and is called from another goroutine, as Written is. What was found before an error is
	// returned with it.
	Files(ctx context.Context, id string, limits image.Limits) (image.Files, error)
	// Written returns the paths of the files that the container has changed or created.
	Written(ctx context.Context, id string) (map[string]bool, error)
}

// Keeper stores evidence as it grows: of one source the latest counts. After an error nothing
// counts as stored.
type Keeper interface {
	Keep(ctx context.Context, list ...dropcap.WorkloadEvidence) error
	// Unscanned returns the stored evidence of this host whose files no recording has scanned, and
	// Scanned adds what they show.
	Unscanned(ctx context.Context) ([]dropcap.WorkloadEvidence, error)
	Scanned(ctx context.Context, w dropcap.WorkloadEvidence, static []dropcap.Need,
		why string) error
}

// Sighting is a cgroup with a container's name.
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
	// CallsUnseen says in one clause why dropcap cannot see what programs do with their own sets
	// without a check; empty if it can.
	CallsUnseen string
}

// Event is something that happened to a container. The Actions used are create, start, kill, die,
// destroy, exec_create, exec_start, exec_die and reconnected.
type Event struct {
	Action, ID, Signal string
	Exec, Ran          string // of the exec events: its id, and a fingerprint of its command
	Name               string // the container's name at that time
	Time               time.Time
	At                 time.Time // when it arrived, by the monotonic clock; now if zero
}

// Details is what the noun lacks.
type Details struct {
	Volumes []string  // the mount points in the container
	Ran     bool      // it has ended before
	Started time.Time // the last time, by the engine's clock; zero if it never was
	Entry   string    // the program that the engine starts, by path or name
	// Health is a fingerprint of its healthcheck's command. HealthAny is set if execs cannot be
	// told from a healthcheck's.
	Health     string
	HealthAny  bool
	NoNewPrivs bool
	Seccomp    bool // it runs under a profile
}

// Query says what to record.
type Query struct {
	Host  string             // the host's id
	Only  map[string]bool    // ids of containers; nil means all
	Until func(Session) bool // called every Tick; true ends the recording
	// the operator promises to exercise everything meanwhile, in the named containers, or else in
	// those that start
	Complete bool
	Execs    bool          // what docker exec runs counts as the workload's own work
	Tick     time.Duration // 1 s if zero
	// how often the kernel's counters are read if nothing ends; each Tick if zero
	Read  time.Duration
	Flush time.Duration // how often evidence is stored; 30 s if zero
	// Service is for weeks: containers that have ended are forgotten once their evidence is stored,
	// and Run returns none of it.
	Service bool
	// Begun is called once everything is being watched, so that what should be recorded may start.
	Begun    func()
	Progress func(Session)
	// Scanning is called after the recording with the number of images whose files are still to be
	// scanned.
	Scanning func(left int)
	// Enough is called when that scanning begins; the end of its channel ends the scanning. What
	// was not scanned is reported, and left to the next recording. Scanning takes two minutes at
	// most in any case.
	Enough func() <-chan struct{}
	// HeldBack returns what the kernel denies by holds, by container; nil: nothing is. A denied
	// check may be invisible here, so that nothing is learned of such a capability, unless it was
	// seen to be granted.
	HeldBack func(ctx context.Context) (map[string]caps.Set, error)
	// Warn receives what is not fatal: a container that could not be attributed, a store that is
	// full for now.
	Warn func(error)
	// Say receives what is worth a line in a log.
	Say func(format string, args ...any)
}

// Session is the state of a recording.
type Session struct {
	Elapsed    time.Duration
	Containers int // attributed so far
	Live       int // of them, running
	Needs      int // different capabilities that some container was granted
	Lost       uint64
	// LossUnknown is set if the hook cannot count all that it misses.
	LossUnknown bool
}

// Run records until ctx ends or Until returns true, and returns the evidence of each recorded
// container. It stores what was recorded first, whatever ended the recording; the error then says
// what went wrong.
func Run(ctx context.Context, t Tracer, e Engine, k Keeper,
	q Query) ([]dropcap.WorkloadEvidence, error) {
	q = q.complete()
	// events that have arrived are handled even after ctx ends
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	events, err := e.Events(work)
	if err != nil {
		return nil, err
	}
	r := newRecording(t, e, k, q)
	// store early, in case the recording is killed soon
	r.flushed = r.began.Add(min(0, firstFlush-q.Flush))
	r.looker, r.scanner = startLooker(work, e), startScanner(work, e)
	defer r.looker.stop()
	defer r.scanner.stop()
	if err := r.present(ctx); err != nil {
		return nil, err
	}
	r.awaitLooks(ctx)
	r.makeUp(ctx)
	r.noteHolds(ctx)
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

// The limits of what follows the recording: looking at the engine and its last events, storing, and
// scanning files, which takes longest.
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

// firstFlush is when evidence is stored for the first time.
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

// loop records until ctx ends. Work under way is completed: it uses work.
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
		case s := <-r.looker.observed:
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

// catchUp follows what the engine has sent until now: on a busy machine that may be the whole life
// of a container, and still be on its way. Then it waits for the looks that are under way.
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
		case s := <-r.looker.observed:
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
		case s := <-r.looker.observed:
			r.saw(s)
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
	r.awaitLooks(ctx)
}

// unsaid reports whether a container has ended without an event so far: the engine answers those
// who wait for an end a moment before it sends the event.
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
