package bpf

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"dropcap"
)

// Watch settings of a group, as in programs/maps.h.
const (
	watchDefault = iota
	watchOn
	watchOff
)

// Default sets what happens to containers without a call of Watch: with all, whatever looks like a
// container is watched.
func (t *Tracer) Default(all bool) error {
	var v uint8
	if all {
		v = 1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.collection.Variables[capabilityVarWatchAll].Set(v); err != nil {
		return fmt.Errorf("set what is watched: %w", err)
	}
	return t.changed()
}

// changed has the programs forget what they remember of groups. The caller holds mu.
func (t *Tracer) changed() error {
	t.changes++
	if err := t.collection.Variables[capabilityVarChanges].Set(t.changes); err != nil {
		return fmt.Errorf("tell the programs what is watched: %w", err)
	}
	return nil
}

// Forget is Recorder.Forget.
func (t *Tracer) Forget(cgroups ...uint64) error {
	err := t.Recorder.Forget(cgroups...)
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(err, t.changed())
}

// Watch switches the watching of one container on or off, by the id of its own cgroup, whatever the
// default. The cgroup need not have appeared yet.
func (t *Tracer) Watch(cgroup uint64, on bool) error {
	return t.change(cgroup, func(g *capabilityGroup) {
		g.Watch = watchOff
		if on {
			g.Watch = watchOn
		}
	})
}

// SetPhase names the phase under which the container's checks are counted from now on. Before the
// first call it is "start" if the container's first process is younger than the tracer, else "run".
// There is room for 255 different names.
func (t *Tracer) SetPhase(cgroup uint64, phase string) error {
	number, err := t.phase(phase)
	if err != nil {
		return err
	}
	return t.change(cgroup, func(g *capabilityGroup) { g.Phase = number })
}

func (t *Tracer) phase(name string) (uint8, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.phases, name); i >= 0 {
		return uint8(i), nil
	}
	if len(t.phases) > 255 {
		return 0, dropcap.Errorf(dropcap.CodeError, "",
			"cannot name phase %q: 255 others have been named", name)
	}
	t.phases = append(t.phases, name)
	return uint8(len(t.phases) - 1), nil
}

// change edits a container's group, and creates it if the kernel has not met the cgroup yet.
func (t *Tracer) change(cgroup uint64, edit func(*capabilityGroup)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	groups := t.collection.Maps[capabilityMapGroups]
	for {
		var g capabilityGroup
		flags := ebpf.UpdateExist
		if err := groups.Lookup(cgroup, &g); errors.Is(err, ebpf.ErrKeyNotExist) {
			flags = ebpf.UpdateNoExist
		} else if err != nil {
			return fmt.Errorf("look up cgroup %d: %w", cgroup, err)
		}
		g.Own = cgroup // even if its name does not show a container's
		edit(&g)
		err := groups.Update(cgroup, &g, flags)
		if errors.Is(err, ebpf.ErrKeyExist) || errors.Is(err, ebpf.ErrKeyNotExist) {
			continue // created or forgotten in between
		}
		if err != nil {
			return fmt.Errorf("change cgroup %d: %w", cgroup, err)
		}
		return t.changed()
	}
}

// Sighting is a container whose processes have made a check, whether watched or not.
type Sighting struct {
	Cgroup uint64
	// the leaf name: "<64 hex>", "docker-<64 hex>.scope", "libpod-<64 hex>.scope". A claim, until
	// the engine confirms the id
	Name      string
	Parent    uint64   // the cgroup above; 0 if that is the root
	Ancestors []uint64 // from the parent up, 8 at most
	First     time.Time
}

// Sightings returns the containers that first appeared since the last call, the oldest first.
func (t *Tracer) Sightings() ([]Sighting, error) {
	m := t.collection.Maps[capabilityMapSightings]
	list, err := entries[uint64, capabilitySighting](m)
	if err != nil {
		return nil, fmt.Errorf("read which containers were seen: %w", err)
	}
	at := clock()
	var out []Sighting
	for _, e := range list {
		s := Sighting{Cgroup: e.key, Name: text(e.value.Name[:]), First: at(e.value.First)}
		for _, id := range e.value.Ancestors {
			if id != 0 {
				s.Ancestors = append(s.Ancestors, id)
			}
		}
		if len(s.Ancestors) > 0 {
			s.Parent = s.Ancestors[0]
		}
		out = append(out, s)
		if err := m.Delete(e.key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return out, fmt.Errorf("forget a sighting: %w", err)
		}
	}
	slices.SortFunc(out, func(a, b Sighting) int { return a.First.Compare(b.First) })
	return out, nil
}

// prune makes room for other cgroups. It drops those that belong to no container, which are
// recognised again in a moment.
func (t *Tracer) prune() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.collection.Maps[capabilityMapGroups]
	list, err := entries[uint64, capabilityGroup](m)
	if err != nil || len(list) < int(m.MaxEntries())/2 {
		return err
	}
	return drop(m, func(_ uint64, g capabilityGroup) bool { return g.Own == 0 })
}
