package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/bpf"
	"dropcap/internal/host"
	"dropcap/internal/image"
	"dropcap/internal/learn"
	"dropcap/internal/snapshot"
)

// learner gives the recording what it asks for: the tracer, the engine and the store, each in its
// words.
type learner struct {
	host   *host.Session
	engine *steady
}

func newLearner(h *host.Session) learner { return learner{h, &steady{Session: h}} }

// steady describes the engine's host once in a while: it is asked for with each container, and the
// engine asks its runtimes each time.
type steady struct {
	*host.Session
	mu      sync.Mutex
	until   time.Time
	found   dropcap.Host
	machine snapshot.Machine
}

func (s *steady) Host(ctx context.Context) (dropcap.Host, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found, s.refresh(ctx)
}

func (s *steady) here() snapshot.Machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.refresh(context.Background()) // Host tells
	return s.machine
}

func (s *steady) refresh(ctx context.Context) error {
	if time.Now().Before(s.until) {
		return nil
	}
	h, err := s.Session.Host(ctx)
	if err != nil {
		return err
	}
	s.found, s.machine, s.until = h, s.Session.Machine(), time.Now().Add(5*time.Minute)
	return nil
}

func (l learner) Events(ctx context.Context) (<-chan learn.Event, error) {
	in, err := l.host.Client.Events(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	out := make(chan learn.Event, cap(in))
	go func() {
		defer close(out)
		for ev := range in {
			select {
			case out <- learn.Event{Action: ev.Action, ID: ev.ID, Signal: ev.Signal, Exec: ev.Exec,
				Ran: ev.Ran, Name: ev.Name, Time: ev.Time, At: time.Now()}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (l learner) Told(ctx context.Context) (time.Time, error) { return l.host.Told(ctx) }

func (l learner) Unstarted(ctx context.Context) ([]dropcap.Ref, error) {
	return l.host.List(ctx, []string{"status=created"})
}

func (l learner) Running(ctx context.Context) ([]dropcap.Ref, error) {
	return l.host.List(ctx, []string{"status=running"})
}

// See looks at the container's processes once: a snapshot would look again and again at one that
// holds more than it is granted, and the recording must go on meanwhile.
func (l learner) See(ctx context.Context, id string) (dropcap.Container, error) {
	s, err := snapshot.Take(ctx, l.engine, unseen{}, l.engine.here,
		snapshot.Query{Names: []string{id}})
	if err != nil {
		return dropcap.Container{}, err
	}
	if len(s.Containers) == 0 {
		return dropcap.Container{}, dropcap.ErrNotFound
	}
	c := s.Containers[0]
	if c.Unread != "" {
		return c, dropcap.Errorf(dropcap.CodeIncomplete, "see what docker inspect says of it",
			"cannot learn from %s: %s", oneLine(c.Name), oneLine(c.Unread))
	}
	if k, err := l.host.Kernel.Look(ctx, c); err == nil && c.Running() {
		c.Kernel = k
	}
	return c, nil
}

// unseen looks at nothing.
type unseen struct{}

func (unseen) Look(context.Context, dropcap.Container) (dropcap.Kernel, error) {
	return dropcap.Kernel{WhyNot: "not looked at"}, nil
}

func (l learner) Details(ctx context.Context, id string) (learn.Details, error) {
	d, err := l.host.Client.Details(ctx, id)
	out := learn.Details{
		Volumes: d.Volumes, Ran: !d.FinishedAt.IsZero(), Started: d.StartedAt, Entry: d.Path,
		NoNewPrivs: d.NoNewPrivs, Seccomp: d.Seccomp != "unconfined", Health: d.Health,
	}
	if err != nil {
		return out, err
	}
	h, err := l.engine.Host(ctx)
	// which does not tell what its execs run
	out.HealthAny = d.Healthcheck && h.Engine.Name == "podman"
	return out, err
}

// Files reads the container's files as the engine exports them: no shell in the container is
// needed.
func (l learner) Files(ctx context.Context, id string, limits image.Limits) (image.Files, error) {
	r, err := l.host.Export(ctx, id)
	if err != nil {
		return image.Files{}, err
	}
	defer r.Close()
	return image.Scan(ctx, r, limits)
}

func (l learner) Cgroup(c dropcap.Container) (uint64, error) { return l.host.Kernel.CgroupID(c) }

// Written asks for what was changed or added in the container's layer; deleted files (kind 2) run
// no more.
func (l learner) Written(ctx context.Context, id string) (map[string]bool, error) {
	_, body, err := l.host.Do(ctx, http.MethodGet, "/containers/"+id+"/changes", nil, nil)
	if err != nil {
		return nil, err
	}
	var list []struct {
		Path string
		Kind int
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	paths := map[string]bool{}
	for _, c := range list {
		paths[c.Path] = c.Kind != 2
	}
	return paths, nil
}

// tracer is the kernel's counters in the recording's words.
type tracer struct{ *bpf.Tracer }

func (t tracer) Sightings() ([]learn.Sighting, error) {
	list, err := t.Tracer.Sightings()
	out := make([]learn.Sighting, len(list))
	for i, s := range list {
		out[i] = learn.Sighting{Cgroup: s.Cgroup, Name: s.Name, Ancestors: s.Ancestors}
	}
	return out, err
}

func (t tracer) Checks() ([]dropcap.KernelCheck, learn.Loss, error) {
	list, s, err := t.Tracer.Checks()
	return list, learn.Loss{Checks: s.Lost, Of: s.LostOf, Unknown: s.LossUnknown,
		CallsUnseen: s.NoCalls}, err
}
