package host

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/docker"
	"dropcap/internal/evidence"
	"dropcap/internal/learn"
	"dropcap/internal/store"
	"dropcap/internal/verdict"
)

// deniedChecks keeps the denied checks of the containers that are watched after a change. It sees
// what the recording of this process, or a tracer of its own, reads of the kernel.
type deniedChecks struct {
	mu      sync.Mutex
	names   map[uint64]groupNamed            // by cgroup
	there   map[string]bool                  // the engine's containers
	watched map[string]watchedAfter          // by container
	latest  map[string][]dropcap.KernelCheck // the last reading, of those that are watched
}

// groupNamed is a cgroup with a container's name.
type groupNamed struct {
	id        string
	ancestors []uint64
}

// watchedAfter is what to look for in one container.
type watchedAfter struct {
	change string
	known  evidence.Denials // what was denied before the change, too
}

func newDeniedChecks() *deniedChecks {
	return &deniedChecks{names: map[uint64]groupNamed{}, there: map[string]bool{},
		watched: map[string]watchedAfter{}, latest: map[string][]dropcap.KernelCheck{}}
}

// tap is the tracer, whose readings are noted.
func (d *deniedChecks) tap(t learn.Tracer) learn.Tracer { return tapped{t, d} }

type tapped struct {
	learn.Tracer
	to *deniedChecks
}

var containerID = regexp.MustCompile(`[0-9a-f]{64}`)

func (t tapped) Sightings() ([]learn.Sighting, error) {
	list, err := t.Tracer.Sightings()
	t.to.mu.Lock()
	defer t.to.mu.Unlock()
	for _, s := range list {
		if id := containerID.FindString(s.Name); id != "" {
			t.to.names[s.Cgroup] = groupNamed{id, s.Ancestors}
		}
	}
	return list, err
}

func (t tapped) Checks() ([]dropcap.KernelCheck, learn.Loss, error) {
	list, loss, err := t.Tracer.Checks()
	if err == nil {
		t.to.read(list)
	}
	return list, loss, err
}

func (t tapped) Forget(cgroups ...uint64) error {
	t.to.mu.Lock()
	for _, c := range cgroups {
		delete(t.to.names, c)
	}
	t.to.mu.Unlock()
	return t.Tracer.Forget(cgroups...)
}

func (d *deniedChecks) read(list []dropcap.KernelCheck) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := map[string][]dropcap.KernelCheck{}
	for _, c := range list {
		id := d.names[c.Cgroup].id
		if _, ok := d.watched[id]; ok && id != "" && !d.below(c.Cgroup) {
			fresh[id] = append(fresh[id], c)
		}
	}
	maps.Copy(d.latest, fresh) // one that has ended keeps its last reading
}

// below reports whether a cgroup is within one of the engine's containers, which may give it any
// name. The host may itself be a container of another engine's.
func (d *deniedChecks) below(cgroup uint64) bool {
	return slices.ContainsFunc(d.names[cgroup].ancestors, func(a uint64) bool {
		return d.there[d.names[a].id]
	})
}

// only forgets the containers that are not there any more.
func (d *deniedChecks) only(there map[string]docker.Listed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.there = map[string]bool{}
	for id := range there {
		d.there[id] = true
	}
	for id := range d.watched {
		if there[id].ID == "" {
			delete(d.watched, id)
			delete(d.latest, id)
		}
	}
}

// until leaves out the denials that were first seen after a change: a service that was away
// meanwhile must not take them for what was denied before.
func until(list []dropcap.WorkloadEvidence, changed string) []dropcap.WorkloadEvidence {
	out := make([]dropcap.WorkloadEvidence, len(list))
	for i, w := range list {
		out[i] = w
		out[i].Needs = slices.DeleteFunc(slices.Clone(w.Needs), func(n dropcap.Need) bool {
			return n.Outcome == dropcap.Denied && n.First >= changed
		})
	}
	return out
}

// of says which check of what a hardening has dropped was denied to a container and decides
// something; empty if none. changed is when that change began.
func (d *deniedChecks) of(ctx context.Context, s *store.Store, id string, h dropcap.Hardening,
	changed string) (why string, missed caps.Set, err error) {
	d.mu.Lock()
	w, ok := d.watched[id]
	checks := d.latest[id]
	d.mu.Unlock()
	if !ok || w.change != h.Change {
		seen, err := evidenceOf(ctx, s, h.Workload, h.Revision, h.Host)
		if err != nil {
			return "", 0, err
		}
		w = watchedAfter{h.Change, evidence.DenialsOf(until(seen.all, changed), h.Workload)}
		d.mu.Lock()
		d.watched[id] = w
		d.mu.Unlock()
	}
	left := h.Dropped
	for range left.Len() { // one of each capability that was missed
		first, found := verdict.Denied(checks, left, w.known.Knows)
		if !found {
			break
		}
		if why == "" {
			why = fmt.Sprintf("%s needed %s at %s", programOf(first), first.Cap.Short(),
				place(first))
		}
		missed |= caps.Of(first.Cap)
		left = left.Minus(missed)
	}
	return why, missed, nil
}

// ill is what the engine says of a container that may be unwell.
type ill struct {
	RestartCount int
	State        struct {
		Status    string
		OOMKilled bool
		ExitCode  int
		Health    *struct{ Status string }
	}
}

// health says in a clause what is wrong with a container; empty if nothing is. The engine is asked
// only after it told of something.
func (w *hardening) health(ctx context.Context, id string) (string, error) {
	w.mu.Lock()
	suspect, known := w.suspects[id], w.unwell[id]
	delete(w.suspects, id)
	w.mu.Unlock()
	if !suspect {
		return known, nil
	}
	raw, err := w.session.RawContainer(ctx, id)
	var i ill
	if err == nil {
		err = json.Unmarshal(raw, &i)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.suspects[id] = true
		return "", ifThere(err)
	}
	if status, ok := w.crashed[id]; ok && i.RestartCount > 0 {
		i.State.ExitCode = status
	}
	w.unwell[id] = i.String()
	return w.unwell[id], nil
}

// byItself reports whether a container that ended with that status did so by itself, and not well:
// neither with 0 nor by a signal that `docker stop` and `docker kill` send.
func byItself(status int) bool { return !slices.Contains([]int{0, 130, 137, 143}, status) }

// String says in a clause what is wrong; empty if nothing is.
func (i ill) String() string {
	byItself := byItself(i.State.ExitCode)
	switch {
	case i.State.OOMKilled && i.State.Status != "running":
		return "ran out of memory"
	case i.State.Health != nil && i.State.Health.Status == "unhealthy":
		return "is unhealthy"
	case i.RestartCount > 0 && byItself:
		return fmt.Sprintf("ended by itself and was restarted %d times, the last time with status %d",
			i.RestartCount, i.State.ExitCode)
	case i.State.Status == "exited" && byItself:
		return fmt.Sprintf("ended with exit status %d", i.State.ExitCode)
	}
	return ""
}
