package learn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/image"
	"dropcap/internal/testenv"
)

// stage is a scripted host: its engine, its kernel's counters and its store.
type stage struct {
	mu         sync.Mutex
	events     chan Event
	containers map[string]dropcap.Container
	ran        map[string]bool
	cgroups    map[string]uint64 // of running containers
	sightings  []Sighting
	checks     []dropcap.KernelCheck
	loss       Loss
	phases     []string
	forgotten  []uint64
	off        []uint64 // cgroups that are not watched
	kept       map[string]dropcap.WorkloadEvidence
	hidden     map[string]bool // containers in no cgroup of their own
	dead       map[string]bool // containers whose first process is gone
	written    map[string]bool // by any container
	details    map[string]Details
	full       error // the error of storing
	keeps      int
	told       time.Time
	noFiles    bool // no container's files can be scanned
	files      func(id string, limits image.Limits) (image.Files, error)
	asked      int // how often the recording has asked for sightings, once for each tick
}

func newStage() *stage {
	return &stage{
		events: make(chan Event, 100), containers: map[string]dropcap.Container{},
		ran: map[string]bool{}, cgroups: map[string]uint64{},
		kept: map[string]dropcap.WorkloadEvidence{}, details: map[string]Details{},
		written: map[string]bool{},
	}
}

func (s *stage) locked(do func()) { s.mu.Lock(); defer s.mu.Unlock(); do() }

func (s *stage) Events(context.Context) (<-chan Event, error) { return s.events, nil }

func (s *stage) Running(context.Context) (refs []dropcap.Ref, err error) {
	s.locked(func() {
		for id := range s.cgroups {
			refs = append(refs, dropcap.Ref{ID: id})
		}
	})
	return refs, nil
}

// LastEvent returns the time of the script's last event.
func (s *stage) LastEvent(context.Context) (at time.Time, err error) {
	s.locked(func() { at = s.told })
	return at, nil
}

func (s *stage) Unstarted(context.Context) (refs []dropcap.Ref, err error) {
	s.locked(func() {
		for id, c := range s.containers {
			if c.State == "created" {
				refs = append(refs, dropcap.Ref{ID: id})
			}
		}
	})
	return refs, nil
}

// recording returns one whose loop is the test's own.
func (s *stage) recording(t *testing.T, q Query) *recording {
	r := newRecording(s, s, s, q.complete())
	r.looker, r.scanner = startLooker(t.Context(), s), startScanner(t.Context(), s)
	t.Cleanup(r.looker.stop)
	t.Cleanup(r.scanner.stop)
	return r
}

func (s *stage) See(_ context.Context, id string) (c dropcap.Container, err error) {
	s.locked(func() {
		var ok bool
		if c, ok = s.containers[id]; !ok {
			err = fmt.Errorf("see: %w", dropcap.ErrNotFound)
		}
	})
	return c, err
}

func (s *stage) Details(_ context.Context, id string) (d Details, err error) {
	s.locked(func() { d = s.details[id]; d.Ran = s.ran[id] })
	return d, nil
}

func (s *stage) Cgroup(c dropcap.Container) (n uint64, err error) {
	s.locked(func() {
		switch n = s.cgroups[c.ID]; {
		case s.hidden[c.ID]:
			err = errors.New("it is in no cgroup of its own")
		case s.dead[c.ID] || n == 0:
			err = dropcap.ErrGone
		}
	})
	return n, err
}

func (s *stage) Files(_ context.Context, id string,
	limits image.Limits) (f image.Files, err error) {
	if s.files != nil {
		return s.files(id, limits)
	}
	c, err := s.See(context.Background(), id)
	if s.locked(func() {
		if s.noFiles {
			err = dropcap.ErrNotFound
		}
	}); err != nil {
		return f, err
	}
	if c.Name == "caddy" {
		f.Programs = []image.Program{{Path: "/bin/caddy",
			Capabilities: &image.Capabilities{Permitted: caps.Of(caps.NetBindService),
				Effective: true}}}
	}
	return f, err
}

func (s *stage) Written(context.Context, string) (map[string]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.written), nil
}

func (s *stage) Sightings() (l []Sighting, err error) {
	s.locked(func() { l, s.sightings, s.asked = s.sightings, nil, s.asked+1 })
	return l, nil
}

func (s *stage) Checks() (l []dropcap.KernelCheck, loss Loss, err error) {
	s.locked(func() { l, loss = append(l, s.checks...), s.loss })
	return l, loss, nil
}

func (s *stage) SetPhase(cgroup uint64, phase string) error {
	s.locked(func() { s.phases = append(s.phases, fmt.Sprintf("%d=%s", cgroup, phase)) })
	return nil
}

func (s *stage) Watch(cgroup uint64, on bool) error {
	s.locked(func() {
		if !on {
			s.off = append(s.off, cgroup)
		}
	})
	return nil
}

func (s *stage) Forget(cgroups ...uint64) error {
	s.locked(func() {
		s.forgotten = append(s.forgotten, cgroups...)
		left := s.checks[:0]
		for _, c := range s.checks {
			if !slices.Contains(cgroups, c.Cgroup) {
				left = append(left, c)
			}
		}
		s.checks = left
	})
	return nil
}

func (s *stage) Keep(_ context.Context, list ...dropcap.WorkloadEvidence) (err error) {
	s.locked(func() {
		if err = s.full; err != nil {
			return
		}
		for _, w := range list {
			s.kept[w.Workload] = w
			s.keeps++
		}
	})
	return err
}

func (s *stage) Unscanned(context.Context) (list []dropcap.WorkloadEvidence, err error) {
	s.locked(func() {
		for _, w := range s.kept {
			if evidence.Unscanned(w) {
				list = append(list, w)
			}
		}
	})
	return list, nil
}

func (s *stage) Scanned(_ context.Context, w dropcap.WorkloadEvidence, static []dropcap.Need,
	why string) error {
	s.locked(func() { s.kept[w.Workload] = evidence.Scanned(s.kept[w.Workload], static, why) })
	return nil
}

// add creates a container; with a cgroup it runs.
func (s *stage) add(name string, cgroup uint64) string {
	id := fmt.Sprintf("%064x", name)
	held := caps.DockerDefaults
	state := "exited"
	if cgroup != 0 {
		state = "running"
	}
	s.locked(func() {
		s.containers[id] = dropcap.Container{ID: id, Name: name, Workload: "docker:" + name,
			State: state, PID: 9, Predicted: &held, Revision: "sha256:" + name}
		if cgroup != 0 {
			s.cgroups[id] = cgroup
		}
	})
	return id
}

func (s *stage) count(cgroup uint64, c caps.Cap, exe string) {
	s.locked(func() {
		s.checks = append(s.checks, dropcap.KernelCheck{
			Cgroup: cgroup, Cap: c, Granted: true, OwnCred: true, Syscall: "fchownat",
			Frames: []string{"chown_ok", "setattr_prepare"},
			Exe:    dropcap.Executable{Path: exe, From: from(exe)}, Origin: dropcap.OriginInit,
			Count: 3, First: time.Now(), Last: time.Now(),
		})
	})
}

// from is the kernel's knowledge of a program.
func from(exe string) string {
	if strings.HasPrefix(exe, "/tmp/") {
		return dropcap.FromWritten
	}
	return dropcap.FromImage
}

// pass waits until the recording has handled all events and gone through ticks since: however slow
// the machine, it has then seen everything.
func (s *stage) pass() {
	// a tick asks twice, an event once, and the present request may have begun before the last
	// event was handled
	const enough = 6
	asked, from := 0, -1
	testenv.Within(30*time.Second, func() bool {
		s.locked(func() { asked = s.asked })
		if from < 0 && len(s.events) == 0 {
			from = asked
		}
		return from >= 0 && asked >= from+enough
	})
}

// record runs a recording while the scene plays.
func (s *stage) record(t *testing.T, q Query, scene func()) map[string]dropcap.WorkloadEvidence {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	q.Tick = 5 * time.Millisecond
	q.Begun = func() {
		go func() {
			scene()
			s.pass()
			end()
		}()
	}
	list, err := Run(ctx, s, s, s, q)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]dropcap.WorkloadEvidence{}
	for _, w := range list {
		by[w.Workload] = w
	}
	return by
}
