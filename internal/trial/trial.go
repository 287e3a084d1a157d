// Package trial denies capabilities to running containers for a time, and lifts by itself what
// hurts: a denied check that decides something, a container that ends, restarts by itself, becomes
// unhealthy or fails its probe. It never restarts or changes a container, never denies what nobody
// asked for, and denies nothing before that is written down. Where it is in doubt, it lifts.
package trial

import (
	"context"
	"time"

	"dropcap"
	"dropcap/caps"
)

// Kernel denies. What it denies it lets go of when this process ends, however it ends.
type Kernel interface {
	// Hook is the place in the kernel that denies.
	Hook() string
	// Expect denies a set to the container of that id, in the cgroup that it has and in each that
	// it gets with a start; the empty set lifts all. It holds from the next check on.
	Expect(container string, s caps.Set) error
	// Denials returns the denied checks since the last Forget.
	Denials() ([]dropcap.KernelCheck, Loss, error)
	// Counts returns the exact number of denied checks, by the container's own cgroup.
	Counts() (map[uint64]map[caps.Cap]uint64, error)
	// Denied receives when there are denials of a new kind. One value may stand for many.
	Denied() <-chan struct{}
	// Forget frees what is kept of cgroups that are gone.
	Forget(cgroups ...uint64) error
}

// Loss is what Denials lacks.
type Loss struct {
	// Of is how many denied checks of a cgroup were counted, and are not among the denials.
	Of map[uint64]uint64
	// Elsewhere is how many checks of this host nobody can attribute: they were not counted, or not
	// denied.
	Elsewhere uint64
}

// Engine is the part of a container engine that a trial uses.
type Engine interface {
	// Events sends what happens to containers until ctx ends.
	Events(ctx context.Context) (<-chan Event, error)
	// See looks at one container. The error is dropcap.ErrNotFound if it is gone.
	See(ctx context.Context, id string) (Container, error)
	// Probe runs what the operator wants to succeed: a program of this host, and one in the
	// container, as far as each is named. The error says in one clause which failed, and how.
	Probe(ctx context.Context, id string, p Probe) error
}

// Probe is what has to succeed. Both are programs with arguments; no shell runs them.
type Probe struct {
	Host, Container []string
	Every           time.Duration
}

func (p Probe) any() bool { return len(p.Host)+len(p.Container) > 0 }

// Event is something that happened to a container: start, kill, die, oom, pause, unpause, destroy,
// health_status, exec_create, exec_start, exec_die, reconnected.
type Event struct {
	Action, ID   string
	Signal, Exit string // of kill, of die
	Health       string // of health_status
	Exec, Ran    string // of the exec events: its id, and a fingerprint of its command
}

// Container is a container as a trial sees it.
type Container struct {
	ID, Name, Workload, Revision, ImageID string

	Running bool
	Paused  bool
	Ran     bool     // it has been started before
	Cgroup  uint64   // its own; 0 if it does not run
	Holds   caps.Set // what it is granted and what its processes hold
	// Health is the engine's word: "", "starting", "healthy" or "unhealthy". Check is a fingerprint
	// of its command.
	Health, Check string
	StopSignal    string // the number of the signal that stops it
	Restarts      int    // by its restart policy
	Started       time.Time
	// Cannot says why it cannot be tried; empty if it can.
	Cannot string
}

// Keeper keeps trials and evidence.
type Keeper interface {
	// Begin keeps a new trial, durably, before anything is denied. It is refused if another runs.
	Begin(ctx context.Context, t dropcap.Trial) error
	// Save replaces what is kept of a trial.
	Save(ctx context.Context, t dropcap.Trial) error
	// Stops returns why persons want trials to end, by id.
	Stops(ctx context.Context) (map[string]string, error)
	// Keep adds evidence; of one trial the latest counts.
	Keep(ctx context.Context, w dropcap.WorkloadEvidence) error
	// Known returns what the workload was denied before without harm.
	Known(ctx context.Context, workload string) (Known, error)
}

// Known reports whether the same check was denied before, and the workload worked all the same.
type Known func(c dropcap.KernelCheck, site string) bool

// Clock is the time.
type Clock interface {
	Now() time.Time // with a monotonic part, as time.Now has
	After(d time.Duration) <-chan time.Time
}

// Request asks for one trial.
type Request struct {
	Container string // id
	Drop      caps.Set
	// Named is set if a person named these capabilities: checks of them that no rule knows lift
	// nothing then, since they are what is to be tried.
	Named bool
	// Tolerant goes on where the rules say that programs often do without (Verdict.Try): whether
	// this one does shows in its health, its end and its probes alone.
	Tolerant bool
	For      time.Duration
	// Strict lifts all of the container where otherwise one capability is lifted.
	Strict bool
	// Complete is the operator's promise to exercise meanwhile all that the workload does.
	Complete bool
	// Execs says that what docker exec runs is the workload's own work.
	Execs bool
	Probe Probe
}

// Options configure a Runner.
type Options struct {
	Host  string // its id
	Clock Clock  // the system's if nil
	// Tell is called with each trial when it has changed, and once a second while it runs. It must
	// not block.
	Tell func(dropcap.Trial)
	// Warn receives what does not end a trial.
	Warn func(error)
}

type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

const (
	tickEvery  = time.Second
	flushEvery = 5 * time.Minute
	// lostAfter is how long a denied check may be counted and not yet described.
	lostAfter = 2 * time.Second
	// startPhase is how long after its start a container's checks count as part of starting.
	startPhase = 10 * time.Second
	// ready is how long after a start probes may fail.
	ready = 30 * time.Second
	// comesBack is how long a container may be down after the engine could not be asked.
	comesBack = time.Minute
	// stopWithin is how long after a signal of an operator an end is that signal's doing: docker
	// stop waits as long as it is told to.
	stopWithin = 10 * time.Minute
	// callLimit is how long one request to the engine may take.
	callLimit = 30 * time.Second
	// probeLimit is how long a probe may take.
	probeLimit = time.Minute
	// saveLimit is how long the last words may take to be written down.
	saveLimit = 30 * time.Second
)

// DefaultFor is how long a trial lasts unless something else is asked for, and ProbeEvery how often
// a probe runs.
const (
	DefaultFor = 24 * time.Hour
	ProbeEvery = 30 * time.Second
)
