package bpf

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"dropcap"
)

// Stats describes what the counts lack, and what they cost.
type Stats struct {
	// Lost is the number of checks that were not counted: there was no room for another key or
	// cgroup, or the kernel did not run the program because it was already running. The latter
	// counts for the whole host, since nobody knows whose they were.
	Lost   uint64
	LostOf map[uint64]uint64 // the part known to belong to a container, by its cgroup
	// LossUnknown is set if the kernel does not count what the hook missed.
	LossUnknown bool
	// NoCalls says why dropcap cannot see what programs do with their own sets without a check;
	// empty if it can.
	NoCalls string
	// call paths that were not kept, for want of room; the kernel tries again at the next check of
	// the kind
	NoStack uint64
	// executables' paths that arrived too fast for user space; the kernel tries again at the next
	// start of the program
	NoPath   uint64
	NoName   uint64 // containers without a Sighting
	Keys     int    // kinds of checks kept now
	MaxKeys  int
	MapBytes uint64 // kernel memory on this machine
	// BytesEach is the part of MapBytes that exists once for each possible processor.
	BytesEach uint64
}

// Checks returns everything counted so far and not forgotten: one entry for each kind of check and
// call path.
func (t *Tracer) Checks() ([]dropcap.KernelCheck, Stats, error) {
	if err := t.prune(); err != nil {
		return nil, Stats{}, fmt.Errorf("make room for cgroups: %w", err)
	}
	list, kinds, err := t.Recorder.Checks()
	if err != nil {
		return nil, Stats{}, err
	}
	stats, err := t.stats(kinds)
	if err != nil {
		return nil, Stats{}, err
	}
	return list, stats, nil
}

func (t *Tracer) stats(keys int) (Stats, error) {
	s := Stats{LossUnknown: t.lossUnknown, NoCalls: t.noCalls, Keys: keys,
		MaxKeys: int(t.collection.Maps[capabilityMapChecks].MaxEntries()),
		LostOf:  map[uint64]uint64{}}
	missed, err := t.missed()
	if err != nil {
		return s, err
	}
	var full, group uint64
	for name, into := range map[string]*uint64{
		capabilityVarLostFull: &full, capabilityVarLostGroup: &group,
		capabilityVarLostStacks: &s.NoStack,
		capabilityVarLostPaths:  &s.NoPath, capabilityVarLostSightings: &s.NoName,
	} {
		if err := t.collection.Variables[name].Get(into); err != nil {
			return s, fmt.Errorf("read what was lost: %w", err)
		}
	}
	s.NoStack += t.pathsWithoutStack.Load()
	s.Lost = full + group + missed
	of, err := entries[uint64, uint64](t.collection.Maps[capabilityMapLosses])
	if err != nil {
		return s, fmt.Errorf("read what was lost: %w", err)
	}
	for _, e := range of {
		s.LostOf[e.key] = e.value
	}
	for _, m := range t.collection.Maps {
		if info, err := m.Info(); err == nil {
			bytes, _ := info.Memlock()
			s.MapBytes += bytes
			s.BytesEach += bytesEach(m)
		}
	}
	return s, nil
}

// missed returns how often the kernel did not run a program, if it counts that.
func (t *Tracer) missed() (uint64, error) {
	var missed uint64
	for i, p := range t.programs {
		stats, err := p.Stats()
		if err != nil {
			return 0, fmt.Errorf("read what the kernel missed: %w", err)
		}
		missed += stats.RecursionMisses
		if p.Type() != ebpf.Kprobe {
			continue
		}
		if info, err := t.links[i].Info(); err == nil && info.PerfEvent() != nil &&
			info.PerfEvent().Kprobe() != nil {
			missed += info.PerfEvent().Kprobe().Missed
		}
	}
	return missed, nil
}

// countsKprobes reports whether the kernel counts what kprobes and their programs miss: since Linux
// 6.7.
func countsKprobes() bool {
	var u unix.Utsname
	var major, minor int
	if unix.Uname(&u) != nil {
		return false
	}
	n, _ := fmt.Sscanf(strings.TrimRight(string(u.Release[:]), "\x00"), "%d.%d", &major, &minor)
	return n == 2 && (major > 6 || major == 6 && minor >= 7)
}
