package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/bpf"
	"dropcap/internal/evidence"
	"dropcap/internal/metrics"
	"dropcap/internal/verdict"
	"dropcap/internal/watch"
)

// afterChanges finds decisive denials in containers that were changed. The kernel's checks are
// watched only while there is such a container, and only those of such containers are counted for
// longer than a moment.
type afterChanges struct {
	l   *Lookout
	off bool
	t   *bpf.Tracer

	names map[uint64]string // the names of the cgroups that were seen
	on    map[uint64]bool   // whether they are watched
	seen  map[denialKey]uint64

	mu   sync.Mutex
	gone map[string]bool // ids of containers that have ended
	hook string
	loss bpf.Stats
}

// changed is a container that was changed.
type changed struct {
	container dropcap.Container
	change    string
	dropped   caps.Set
}

type denialKey struct {
	container string
	cap       caps.Cap
	exe, site string
}

// read returns the denials since the last call.
func (a *afterChanges) read(ctx context.Context) ([]watch.Denial, error) {
	if a.off {
		return nil, nil
	}
	changes, err := a.l.changes(ctx)
	if err != nil {
		return nil, err
	}
	list := a.changed(changes)
	if len(list) == 0 && a.t == nil {
		return nil, nil
	}
	if a.t == nil && !a.open() {
		return nil, nil
	}
	if err := a.sight(list); err != nil {
		return nil, err
	}
	checks, summary, err := a.t.Checks()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.loss = summary
	a.mu.Unlock()
	byContainer := map[string][]dropcap.KernelCheck{}
	for _, c := range checks {
		id := containerOf(a.names[c.Cgroup])
		if _, ours := list[id]; ours {
			byContainer[id] = append(byContainer[id], c)
		}
	}
	var out []watch.Denial
	for id, own := range byContainer {
		if !slices.ContainsFunc(own, func(c dropcap.KernelCheck) bool { return !c.Granted }) {
			continue
		}
		out = append(out, a.denied(list[id], own, a.l.recalled(ctx).evidence)...)
	}
	return out, a.forget()
}

// open opens the tracer. A host where that is not possible is told once.
func (a *afterChanges) open() bool {
	t, err := bpf.Open(bpf.Options{})
	if err == nil {
		if err = t.Default(true); err != nil {
			t.Close()
		}
	}
	if err != nil {
		a.off = true
		a.l.host.observer.Progress(Note{fmt.Sprintf("dropcap: denials after changes are not "+
			"seen: %v", err)})
		return false
	}
	a.t, a.names, a.on = t, map[uint64]string{}, map[uint64]bool{}
	a.seen = map[denialKey]uint64{}
	a.mu.Lock()
	a.hook, a.gone = t.Hook(), map[string]bool{}
	a.mu.Unlock()
	return true
}

// changed returns the containers of changes that are in force or under way, by id. Those that
// somebody has made again since are known from the last look, by their workload.
func (a *afterChanges) changed(list []dropcap.Change) map[string]changed {
	out, workloads, done := map[string]changed{}, map[string]changed{}, map[string]bool{}
	for _, c := range list { // the newest first
		for _, part := range c.Containers() {
			if done[part.Workload] || part.Was.Holds == part.Is.Holds {
				continue
			}
			done[part.Workload] = true
			x := changed{change: c.ID, dropped: part.Was.Holds.Minus(part.Is.Holds),
				container: dropcap.Container{ID: part.After, Name: part.Name,
					Workload: part.Workload}}
			undone := c.State.Over() && c.State != dropcap.Applied
			if undone || x.dropped.Empty() || part.After == "" {
				continue
			}
			out[part.After] = x
			workloads[part.Workload] = x
		}
	}
	a.l.mu.Lock()
	j := a.l.state.Judgement
	a.l.mu.Unlock()
	if j == nil {
		return out
	}
	for _, c := range j.Audit.Containers {
		x, ok := workloads[c.Workload]
		if !ok || c.Predicted == nil || c.Retained != "" {
			continue
		}
		x.container = c.Container
		if x.dropped = x.dropped.Minus(*c.Predicted); !x.dropped.Empty() {
			out[c.ID] = x
		}
	}
	return out
}

// sight watches the cgroups of the changed containers and no others.
func (a *afterChanges) sight(list map[string]changed) error {
	seen, err := a.t.Sightings()
	if err != nil {
		return err
	}
	for _, s := range seen {
		a.names[s.Cgroup] = s.Name
		a.on[s.Cgroup] = true // as all are by default
	}
	for cgroup, name := range a.names {
		_, ours := list[containerOf(name)]
		if a.on[cgroup] == ours {
			continue
		}
		if err := a.t.Watch(cgroup, ours); err != nil {
			return err
		}
		a.on[cgroup] = ours
	}
	return nil
}

// containerOf returns the id in the name of a container's cgroup.
func containerOf(name string) string {
	name = strings.TrimSuffix(name, ".scope")
	return name[max(0, len(name)-64):]
}

// denied returns the denials of one container that have happened since the last call.
func (a *afterChanges) denied(x changed, checks []dropcap.KernelCheck,
	known []dropcap.WorkloadEvidence) (out []watch.Denial) {
	before := evidence.DenialsOf(known, x.container.Workload).Knows
	for _, one := range x.dropped.List() {
		c, found := verdict.Denied(checks, caps.Of(one), before)
		if !found {
			continue
		}
		v := verdict.Of(c)
		k := denialKey{x.container.ID, one, c.Exe.Path, v.Site}
		if a.seen[k] >= c.Count {
			continue
		}
		a.seen[k] = c.Count
		out = append(out, watch.Denial{
			Container: x.container, Change: x.change, Cap: one,
			By: dropcap.By{Exe: c.Exe.Path, ExeFrom: c.Exe.From, Syscall: c.Syscall,
				Site: v.Site, Phase: c.Phase, Count: c.Count},
			Because: fmt.Sprintf("%s needed %s at %s, which change %s dropped: %s",
				programOf(c), one, place(c), x.change, v.Because),
		})
	}
	return out
}

// ended notes that a container has ended: what the kernel keeps of it is not needed any more.
func (a *afterChanges) ended(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone != nil {
		a.gone[id] = true
	}
}

// forget frees what is kept of containers that have ended.
func (a *afterChanges) forget() error {
	a.mu.Lock()
	gone := a.gone
	a.gone = map[string]bool{}
	a.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	var cgroups []uint64
	for cgroup, name := range a.names {
		if gone[containerOf(name)] {
			cgroups = append(cgroups, cgroup)
			delete(a.names, cgroup)
			delete(a.on, cgroup)
		}
	}
	for k := range a.seen {
		if gone[k.container] {
			delete(a.seen, k)
		}
	}
	if len(cgroups) == 0 {
		return nil
	}
	return a.t.Forget(cgroups...)
}

// metrics adds the state of the tracer, if it is open.
func (a *afterChanges) metrics(m *metrics.State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hook != "" {
		m.Tracer = &metrics.Tracer{Hook: a.hook, Lost: a.loss.Lost,
			LossUnknown: a.loss.LossUnknown}
	}
}

func (a *afterChanges) close() {
	if a.t != nil {
		a.t.Close()
	}
}
