package host

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/bpf"
	"dropcap/internal/image"
	"dropcap/internal/learn"
	"dropcap/internal/printable"
	"dropcap/internal/snapshot"
)

// learnEngine is the engine and /proc as a recording asks for them.
type learnEngine struct {
	*Session
	described *describedEngine
}

func newLearnEngine(s *Session) learnEngine {
	return learnEngine{s, &describedEngine{Session: s}}
}

// describedFor is how long a description of the engine's host is taken as true.
const describedFor = 5 * time.Minute

// describedEngine describes the engine's host once in a while: it is asked for with each container,
// and the engine asks its runtimes each time.
type describedEngine struct {
	*Session
	mu      sync.Mutex
	until   time.Time
	info    dropcap.Host
	machine snapshot.Machine
}

func (d *describedEngine) Host(ctx context.Context) (dropcap.Host, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.refresh(ctx)
	return d.info, err
}

func (d *describedEngine) here() snapshot.Machine {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.refresh(context.Background()) // Host reports the error
	return d.machine
}

func (d *describedEngine) refresh(ctx context.Context) error {
	if time.Now().Before(d.until) {
		return nil
	}
	info, err := d.Session.Host(ctx)
	if err != nil {
		return err
	}
	d.info, d.machine, d.until = info, d.Machine(), time.Now().Add(describedFor)
	return nil
}

func (l learnEngine) Events(ctx context.Context) (<-chan learn.Event, error) {
	in, err := l.Client.Events(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	out := make(chan learn.Event, cap(in))
	go func() {
		defer close(out)
		for ev := range in {
			e := learn.Event{
				Action: ev.Action, ID: ev.ID, Signal: ev.Signal, Exec: ev.Exec, Ran: ev.Ran,
				Name: ev.Name,
				Time: ev.Time, At: time.Now(),
			}
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (l learnEngine) Unstarted(ctx context.Context) ([]dropcap.Ref, error) {
	return l.List(ctx, []string{"status=created"})
}

func (l learnEngine) Running(ctx context.Context) ([]dropcap.Ref, error) {
	return l.List(ctx, []string{"status=running"})
}

// See looks at the container's processes once: a snapshot would look again and again at one that
// holds more than it is granted, and the recording must go on meanwhile.
func (l learnEngine) See(ctx context.Context, id string) (dropcap.Container, error) {
	q := snapshot.Query{Names: []string{id}}
	s, err := snapshot.Take(ctx, l.described, noProcesses{}, l.described.here, q)
	if err != nil {
		return dropcap.Container{}, err
	}
	if len(s.Containers) == 0 {
		return dropcap.Container{}, dropcap.ErrNotFound
	}
	c := s.Containers[0]
	if c.Unread != "" {
		return c, dropcap.Errorf(dropcap.CodeIncomplete, "see what docker inspect says of it",
			"cannot learn from %s: %s", printable.Line(c.Name), printable.Line(c.Unread))
	}
	if k, err := l.Kernel.Look(ctx, c); err == nil && c.Running() {
		c.Kernel = k
	}
	return c, nil
}

// noProcesses looks at no processes.
type noProcesses struct{}

func (noProcesses) Look(context.Context, dropcap.Container) (dropcap.Kernel, error) {
	return dropcap.Kernel{WhyNot: "not looked at"}, nil
}

func (l learnEngine) Details(ctx context.Context, id string) (learn.Details, error) {
	d, err := l.Client.Details(ctx, id)
	out := learn.Details{
		Volumes: d.Volumes, Ran: !d.FinishedAt.IsZero(), Started: d.StartedAt, Entry: d.Path,
		NoNewPrivs: d.NoNewPrivs, Seccomp: d.Seccomp != "unconfined", Health: d.Health,
	}
	if err != nil {
		return out, err
	}
	h, err := l.described.Host(ctx)
	// Podman does not report what its execs run.
	out.HealthAny = d.Healthcheck && h.Engine.Name == "podman"
	return out, err
}

// Files reads the container's files as the engine exports them: no shell in the container is
// needed.
func (l learnEngine) Files(ctx context.Context, id string,
	limits image.Limits) (image.Files, error) {
	r, err := l.Export(ctx, id)
	if err != nil {
		return image.Files{}, err
	}
	defer r.Close()
	return image.Scan(ctx, r, limits)
}

func (l learnEngine) Cgroup(c dropcap.Container) (uint64, error) { return l.Kernel.CgroupID(c) }

// Written asks for what was changed or added in the container's layer; deleted files (kind 2) run
// no more.
func (l learnEngine) Written(ctx context.Context, id string) (map[string]bool, error) {
	_, body, err := l.Do(ctx, http.MethodGet, "/containers/"+id+"/changes", nil, nil)
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

// learnTracer is the kernel's counters in the recording's terms.
type learnTracer struct{ *bpf.Tracer }

func (t learnTracer) Sightings() ([]learn.Sighting, error) {
	list, err := t.Tracer.Sightings()
	out := make([]learn.Sighting, len(list))
	for i, s := range list {
		out[i] = learn.Sighting{Cgroup: s.Cgroup, Name: s.Name, Ancestors: s.Ancestors}
	}
	return out, err
}

func (t learnTracer) Checks() ([]dropcap.KernelCheck, learn.Loss, error) {
	list, s, err := t.Tracer.Checks()
	loss := learn.Loss{Checks: s.Lost, Of: s.LostOf, Unknown: s.LossUnknown, CallsUnseen: s.NoCalls}
	return list, loss, err
}
