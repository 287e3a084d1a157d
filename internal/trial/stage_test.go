package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
)

// stage is a host with one container, whose time is that of testing/synctest.
type stage struct {
	t *testing.T
	r *Runner
	*playedKernel
	*playedEngine
	*playedKeeper

	warned []string
	cancel context.CancelFunc
	ended  chan error
}

const cgroup = 77

var (
	web    = strings.Repeat("a", 64)
	tasks  = caps.Of(caps.Chown, caps.NetRaw, caps.Kill, caps.DacOverride)
	hour   = time.Hour
	asking = Request{Container: web, Drop: tasks, For: hour}
)

// play runs a test on a stage in its own time.
func play(t *testing.T, do func(s *stage)) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, ended: make(chan error, 1),
			playedKernel: &playedKernel{news: make(chan struct{}, 1), mask: map[string]caps.Set{}},
			playedEngine: &playedEngine{events: make(chan Event)},
			playedKeeper: &playedKeeper{trials: map[string]dropcap.Trial{},
				stops: map[string]string{}, evidence: map[string]dropcap.WorkloadEvidence{}},
		}
		s.playedEngine.c = Container{
			ID: web, Name: "web", Workload: "docker:web", Revision: "sha256:" +
				strings.Repeat("1", 64), Running: true, Ran: true, Cgroup: cgroup,
			Holds: caps.DockerDefaults, StopSignal: "15", Started: time.Now().Add(-hour),
		}
		s.start()
		do(s)
		s.cancel()
		if err := <-s.ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if left := s.denied(); !left.Empty() {
			t.Errorf("%s is still denied after the end", left)
		}
	})
}

func (s *stage) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.r = New(s.playedKernel, s.playedEngine, s.playedKeeper, Options{Host: "h",
		Warn: func(err error) { s.warned = append(s.warned, err.Error()) }})
	go func() { s.ended <- s.r.Run(ctx) }()
	synctest.Wait()
}

// begin begins a trial that must begin.
func (s *stage) begin(q Request) Begun {
	s.t.Helper()
	b, err := s.r.Begin(s.t.Context(), q)
	if err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
	return b
}

func (s *stage) pass(d time.Duration) {
	// Time is under test, and it is the bubble's own.
	time.Sleep(d)
	synctest.Wait()
}

func (s *stage) event(ev Event) {
	if ev.ID == "" {
		ev.ID = web
	}
	s.events <- ev
	synctest.Wait()
}

// over returns a trial that must be over.
func (s *stage) over(b Begun) dropcap.Trial {
	s.t.Helper()
	select {
	case <-b.t.over:
	default:
		s.t.Fatalf("the trial goes on: %+v", s.kept(b))
	}
	return s.kept(b)
}

// kept returns a trial as it is kept.
func (s *stage) kept(b Begun) dropcap.Trial {
	s.playedKeeper.mu.Lock()
	defer s.playedKeeper.mu.Unlock()
	return s.trials[b.ID]
}

// shown returns the evidence of a trial, as the store would merge it.
func (s *stage) shown() dropcap.WorkloadEvidence {
	s.playedKeeper.mu.Lock()
	defer s.playedKeeper.mu.Unlock()
	list := evidence.Merge(slices.Collect(maps.Values(s.evidence)), evidence.ByHost)
	if len(list) != 1 {
		s.t.Fatalf("%d pieces of evidence", len(list))
	}
	return list[0]
}

// playedKernel denies what it is told to.
type playedKernel struct {
	mu      sync.Mutex
	mask    map[string]caps.Set
	checks  []dropcap.KernelCheck
	extra   map[caps.Cap]uint64 // counted and not described
	loss    Loss
	news    chan struct{}
	forgot  []uint64
	failing error
	refuses error
}

func (k *playedKernel) Hook() string { return "fmod_ret/security_capable" }

func (k *playedKernel) Expect(id string, s caps.Set) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refuses != nil && !s.Empty() {
		return k.refuses
	}
	if k.mask[id] = s; s.Empty() {
		delete(k.mask, id)
	}
	return nil
}

func (k *playedKernel) denied() (all caps.Set) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.mask {
		all |= s
	}
	return all
}

func (k *playedKernel) Denials() ([]dropcap.KernelCheck, Loss, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.checks), k.loss, k.failing
}

func (k *playedKernel) Counts() (map[uint64]map[caps.Cap]uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[uint64]map[caps.Cap]uint64{}
	for _, c := range k.checks {
		if out[c.Cgroup] == nil {
			out[c.Cgroup] = map[caps.Cap]uint64{}
		}
		out[c.Cgroup][c.Cap] += c.Count
	}
	for c, n := range k.extra {
		if out[cgroup] == nil {
			out[cgroup] = map[caps.Cap]uint64{}
		}
		out[cgroup][c] += n
	}
	return out, k.failing
}

func (k *playedKernel) Denied() <-chan struct{} { return k.news }

func (k *playedKernel) Forget(cgroups ...uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgot = append(k.forgot, cgroups...)
	k.checks = slices.DeleteFunc(k.checks, func(c dropcap.KernelCheck) bool {
		return slices.Contains(cgroups, c.Cgroup)
	})
	return nil
}

// deny plays a check in the kernel, and reports whether it was denied.
func (s *stage) deny(c dropcap.KernelCheck) bool {
	k := s.playedKernel
	k.mu.Lock()
	if !k.mask[web].Has(c.Cap) {
		k.mu.Unlock()
		return false
	}
	k.checks = append(k.checks, c)
	k.mu.Unlock()
	select {
	case k.news <- struct{}{}:
	default:
	}
	synctest.Wait()
	return true
}

// check is a denied check of the container's own program.
func check(c caps.Cap, syscall string, frames ...string) dropcap.KernelCheck {
	return dropcap.KernelCheck{
		Cgroup: cgroup, Cap: c, Trial: true, OwnCred: true, Syscall: syscall, Frames: frames,
		Exe:    dropcap.Executable{Path: "/usr/sbin/nginx", From: dropcap.FromImage},
		Origin: dropcap.OriginInit, Count: 2, Held: caps.DockerDefaults,
	}
}

var (
	chown   = check(caps.Chown, "fchownat", "chown_ok", "setattr_prepare")
	access  = check(caps.DacOverride, "access", "generic_permission", "do_faccessat")
	strange = check(caps.Kill, "ioctl", "some_driver_ioctl")
)

type playedEngine struct {
	events chan Event
	mu     sync.Mutex
	c      Container
	gone   bool
	fails  error // of See
	probe  error
	probes int
}

func (e *playedEngine) Events(context.Context) (<-chan Event, error) { return e.events, nil }

func (e *playedEngine) See(context.Context, string) (Container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return Container{}, fmt.Errorf("see: %w", dropcap.ErrNotFound)
	}
	return e.c, e.fails
}

func (e *playedEngine) edit(f func(*Container)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.c)
}

func (e *playedEngine) Probe(context.Context, string, Probe) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.probes++
	return e.probe
}

type playedKeeper struct {
	mu       sync.Mutex
	trials   map[string]dropcap.Trial
	states   []dropcap.TrialState
	stops    map[string]string
	evidence map[string]dropcap.WorkloadEvidence
	full     bool
	known    Known
	atBegin  func()
}

var errFull = errors.New("cannot use the store: the disk is full")

func (k *playedKeeper) Begin(ctx context.Context, t dropcap.Trial) error {
	if k.atBegin != nil {
		k.atBegin()
	}
	return k.Save(ctx, t)
}

func (k *playedKeeper) Save(_ context.Context, t dropcap.Trial) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.full {
		return errFull
	}
	k.trials[t.ID] = t
	k.states = append(k.states, t.State)
	return nil
}

func (k *playedKeeper) Stops(context.Context) (map[string]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.stops), nil
}

func (k *playedKeeper) Keep(_ context.Context, w dropcap.WorkloadEvidence) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.full {
		return errFull
	}
	k.evidence[w.Sources[0].Trial] = w
	return nil
}

func (k *playedKeeper) Known(context.Context, string) (Known, error) { return k.known, nil }
