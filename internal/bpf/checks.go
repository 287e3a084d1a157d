package bpf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
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
	maps := t.collection.Maps
	tallies, err := entries[capabilityCheck, capabilityTally](maps[capabilityMapChecks])
	if err != nil {
		return nil, Stats{}, fmt.Errorf("read the checks: %w", err)
	}
	called, err := entries[capabilityCallPath, uint64](maps[capabilityMapCallPaths])
	if err != nil {
		return nil, Stats{}, fmt.Errorf("read the call paths: %w", err)
	}
	frames, err := t.framesOf(called)
	if err != nil {
		return nil, Stats{}, fmt.Errorf("read the stacks: %w", err)
	}
	stats, err := t.stats(len(tallies))
	if err != nil {
		return nil, Stats{}, err
	}
	t.paths.flush()
	at := clock()
	var out []dropcap.KernelCheck
	for _, e := range tallies {
		c := t.check(e.key)
		c.UID, c.Count, c.Asked = e.value.Uid, e.value.Count, caps.Set(e.value.Asked)
		c.Handed, c.Held = caps.Set(e.value.Handed), caps.Set(e.value.Held)
		c.First, c.Last = at(e.value.First), at(e.value.Last)
		paths := frames[e.key]
		c.CountShared = len(paths) > 1
		if len(paths) == 0 {
			paths = [][]string{nil}
		}
		for _, c.Frames = range paths {
			out = append(out, c)
		}
	}
	return out, stats, nil
}

// check replaces a key's numbers by names.
func (t *Tracer) check(k capabilityCheck) dropcap.KernelCheck {
	c := dropcap.KernelCheck{
		Cgroup: k.Own, Cap: caps.Cap(k.Cap), Granted: k.Granted != 0, Spent: k.Spent != 0,
		OwnCred: k.OwnCred != 0, Reach: dropcap.Reach(k.Reach),
		Arg: dropcap.Arg(k.Arg), Syscall: syscallName(k.Syscall), Origin: dropcap.OriginInit,
		Exe: dropcap.Executable{Dev: device(k.Dev), Inode: k.Ino, From: from(k.From),
			Old: k.From == fromOld},
	}
	if k.Origin != 0 {
		c.Origin = dropcap.OriginExec
	}
	c.Exe.Path = t.paths.of(capabilityProgram{Own: k.Own, Ino: k.Ino, Dev: k.Dev, Path: k.Path})
	t.mu.Lock()
	c.Phase = t.phases[k.Phase]
	t.mu.Unlock()
	return c
}

// The values of FROM_… in programs/maps.h.
var origins = []string{dropcap.FromUnknown, dropcap.FromImage, dropcap.FromWritten,
	dropcap.FromVolume, dropcap.FromMemory}

const fromOld = 5

func from(n uint8) string {
	if int(n) < len(origins) {
		return origins[n]
	}
	return dropcap.FromUnknown
}

// device converts the kernel's form of a device number (MINORBITS is 20, include/linux/kdev_t.h) to
// that of stat.
func device(dev uint32) uint64 { return unix.Mkdev(dev>>20, dev&(1<<20-1)) }

// framesOf returns the named call paths of each key; paths with the same functions are merged.
func (t *Tracer) framesOf(called []entry[capabilityCallPath,
	uint64]) (map[capabilityCheck][][]string, error) {
	numbers := make([]uint64, len(called))
	for i, e := range called {
		numbers[i] = e.key.Stack
	}
	load := func() ([]numbered, error) { return t.stacks(numbers) }
	if err := t.afterLosses(func() error { _, err := load(); return err }); err != nil {
		return nil, err
	}
	named, err := t.symbols.stacks(numbers, load)
	if err != nil {
		return nil, err
	}
	out := map[capabilityCheck][][]string{}
	for _, e := range called {
		frames, ok := named[e.key.Stack]
		if !ok { // its stack was taken for unused just before a path used it
			if err := t.retry(e.key); err != nil {
				return nil, err
			}
			continue
		}
		same := func(other []string) bool { return slices.Equal(frames, other) }
		if !slices.ContainsFunc(out[e.key.Check], same) {
			out[e.key.Check] = append(out[e.key.Check], frames)
		}
	}
	return out, nil
}

type numbered = entry[capabilityCallStack, uint64]

// stacks reads all stacks in the kernel. If there are many, it deletes those that are in no path:
// their containers are forgotten.
func (t *Tracer) stacks(used []uint64) ([]numbered, error) {
	m := t.collection.Maps[capabilityMapStacks]
	all, err := entries[capabilityCallStack, uint64](m)
	if err != nil || len(all) < int(m.MaxEntries())/2 {
		return all, err
	}
	keep := map[uint64]bool{}
	for _, id := range used {
		keep[id] = true
	}
	for _, e := range all {
		if keep[e.value] {
			continue
		}
		if err := m.Delete(e.key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil, err
		}
	}
	return slices.DeleteFunc(all, func(e numbered) bool { return !keep[e.value] }), nil
}

// afterLosses makes room if the kernel has had no place for a stack since the last call.
func (t *Tracer) afterLosses(makeRoom func() error) error {
	var lost uint64
	if err := t.collection.Variables[capabilityVarLostStacks].Get(&lost); err != nil {
		return err
	}
	if t.lostStacks.Swap(lost) == lost {
		return nil
	}
	return makeRoom()
}

// retry deletes a call path without its stack, so that the kernel may record it again.
func (t *Tracer) retry(p capabilityCallPath) error {
	t.pathsWithoutStack.Add(1)
	if err := t.collection.Maps[capabilityMapCallPaths].Delete(p); err != nil &&
		!errors.Is(err, ebpf.ErrKeyNotExist) {
		return err
	}
	return nil
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
