package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/bpf"
	"dropcap/internal/evidence"
	"dropcap/internal/image"
	"dropcap/internal/learn"
	"dropcap/internal/snapshot"
	"dropcap/internal/store"
)

// learner gives the recording what it asks for: the tracer, the engine and the store, each in its words.
type learner struct{ host *host }

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
			case out <- learn.Event{Action: ev.Action, ID: ev.ID, Signal: ev.Signal, Time: ev.Time}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (l learner) Running(ctx context.Context) ([]dropcap.Ref, error) {
	return l.host.List(ctx, []string{"status=running"})
}

func (l learner) See(ctx context.Context, id string) (dropcap.Container, error) {
	s, err := snapshot.Take(ctx, l.host, l.host.kernel, l.host.machine, snapshot.Query{Names: []string{id}})
	if err != nil {
		return dropcap.Container{}, err
	}
	if len(s.Containers) == 0 {
		return dropcap.Container{}, dropcap.ErrNotFound
	}
	return s.Containers[0], nil
}

func (l learner) Details(ctx context.Context, id string) (learn.Details, error) {
	d, err := l.host.Client.Details(ctx, id)
	return learn.Details{Volumes: d.Volumes, Ran: !d.FinishedAt.IsZero()}, err
}

// Static scans the container's files as the engine exports them: no shell in the container is needed.
func (l learner) Static(ctx context.Context, c dropcap.Container, executed []dropcap.Executable) ([]dropcap.Need, error) {
	d, err := l.host.Client.Details(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	r, err := l.host.Export(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	files, err := image.Scan(ctx, r, image.Default)
	if err != nil {
		return nil, err
	}
	run := image.Run{Entry: d.Path, Executed: executed, NoNewPrivs: d.NoNewPrivs}
	if net, err := l.host.kernel.NetContext(c.PID); err == nil {
		run.PingAllowed = net.PingAllowed()
	}
	return image.Needs(files, run), nil
}

func (l learner) Cgroup(c dropcap.Container) (uint64, error) { return l.host.kernel.CgroupID(c) }

// Written asks for what was changed or added in the container's layer; deleted files (kind 2) run no more.
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
	return list, learn.Loss{Checks: s.Lost, Of: s.LostOf, Unknown: s.LossUnknown}, err
}

// keeper is the store in the recording's words. Evidence of other hosts stands beside ours, never in it: the store's key names the host.
type keeper struct {
	*store.Store
	host string
}

func (k keeper) Keep(ctx context.Context, w dropcap.WorkloadEvidence) error {
	key := w.Revision + "@" + k.host
	return k.Update(ctx, w.Workload, key, func(old *dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
		if old == nil {
			return w, nil
		}
		return evidence.Merge([]dropcap.WorkloadEvidence{unkeyed(*old), w}, evidence.AcrossHosts)[0], nil
	})
}

// unkeyed takes the host off a revision that comes from the store.
func unkeyed(w dropcap.WorkloadEvidence) dropcap.WorkloadEvidence {
	w.Revision, _, _ = strings.Cut(w.Revision, "@")
	return w
}
