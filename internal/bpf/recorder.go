package bpf

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
)

// Recorder reads what programs/record.h keeps in the maps of a collection, and frees it. The
// collection may be any whose source includes that. It is safe for concurrent use.
type Recorder struct {
	collection        *ebpf.Collection
	symbols           *symbols
	paths             *paths
	pathsWithoutStack atomic.Uint64 // call paths whose stack was gone
	lostStacks        atomic.Uint64 // the kernel's count at the last reading

	mu     sync.Mutex // guards phases and changes of groups
	phases []string   // by number: see ownPhases
}

// ownPhases are those that the eBPF programs set by themselves: PHASE_… in programs/maps.h.
var ownPhases = []string{"", dropcap.PhaseStart, dropcap.PhaseRun}

// NewRecorder returns a recorder that owns the collection, even where it returns an error.
func NewRecorder(c *ebpf.Collection) (*Recorder, error) {
	r := newRecorder(c)
	if err := r.begin(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func newRecorder(c *ebpf.Collection) *Recorder {
	return &Recorder{collection: c, phases: slices.Clone(ownPhases)}
}

// begin reads the kernel's symbols, and from now on the paths that programs send.
func (r *Recorder) begin() (err error) {
	if r.paths, err = readPaths(r.collection.Maps[capabilityMapProgramPaths]); err == nil {
		r.symbols, err = readSymbols()
	}
	return err
}

// Close frees the collection. The kernel keeps what is attached or pinned.
func (r *Recorder) Close() (err error) {
	if r.paths != nil {
		err = r.paths.close()
	}
	r.collection.Close()
	return err
}

// SetConstants sets what the recorder's programs must know, before they are loaded. keysEach
// limits the kinds of checks that are kept of one container.
func SetConstants(spec *ebpf.CollectionSpec, keysEach int) error {
	return errors.Join(
		spec.Variables[capabilityVarKeysEach].Set(uint32(keysEach)),
		spec.Variables[capabilityVarOpened].Set(uint64(sinceBoot())),
		spec.Variables[capabilityVarWall].Set(uint64(time.Now().UnixNano())-uint64(sinceBoot())),
		spec.Variables[capabilityVarUpperAt].Set(upperAt()),
		spec.Variables[capabilityVarRootCgroup].Set(rootCgroup()),
	)
}

// Checks returns everything recorded so far and not forgotten: one entry for each kind of check and
// call path. kinds is the number of kinds.
func (r *Recorder) Checks() (list []dropcap.KernelCheck, kinds int, err error) {
	maps := r.collection.Maps
	tallies, err := entries[capabilityCheck, capabilityTally](maps[capabilityMapChecks])
	if err != nil {
		return nil, 0, fmt.Errorf("read the checks: %w", err)
	}
	called, err := entries[capabilityCallPath, uint64](maps[capabilityMapCallPaths])
	if err != nil {
		return nil, 0, fmt.Errorf("read the call paths: %w", err)
	}
	frames, err := r.framesOf(called)
	if err != nil {
		return nil, 0, fmt.Errorf("read the stacks: %w", err)
	}
	r.paths.flush()
	at := clock()
	for _, e := range tallies {
		c := r.check(e.key)
		c.UID, c.Count, c.Asked = e.value.Uid, e.value.Count, caps.Set(e.value.Asked)
		c.Handed, c.Held = caps.Set(e.value.Handed), caps.Set(e.value.Held)
		c.First, c.Last = at(e.value.First), at(e.value.Last)
		paths := frames[e.key]
		c.CountShared = len(paths) > 1
		if len(paths) == 0 {
			paths = [][]string{nil}
		}
		for _, c.Frames = range paths {
			list = append(list, c)
		}
	}
	return list, len(tallies), nil
}

// check replaces a key's numbers by names.
func (r *Recorder) check(k capabilityCheck) dropcap.KernelCheck {
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
	c.Exe.Path = r.paths.of(capabilityProgram{Own: k.Own, Ino: k.Ino, Dev: k.Dev, Path: k.Path})
	r.mu.Lock()
	c.Phase = r.phases[k.Phase]
	r.mu.Unlock()
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
func (r *Recorder) framesOf(called []entry[capabilityCallPath,
	uint64]) (map[capabilityCheck][][]string, error) {
	numbers := make([]uint64, len(called))
	for i, e := range called {
		numbers[i] = e.key.Stack
	}
	load := func() ([]numbered, error) { return r.stacks(numbers) }
	if err := r.afterLosses(func() error { _, err := load(); return err }); err != nil {
		return nil, err
	}
	named, err := r.symbols.stacks(numbers, load)
	if err != nil {
		return nil, err
	}
	out := map[capabilityCheck][][]string{}
	for _, e := range called {
		frames, ok := named[e.key.Stack]
		if !ok { // its stack was taken for unused just before a path used it
			if err := r.retry(e.key); err != nil {
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
func (r *Recorder) stacks(used []uint64) ([]numbered, error) {
	m := r.collection.Maps[capabilityMapStacks]
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
func (r *Recorder) afterLosses(makeRoom func() error) error {
	var lost uint64
	if err := r.collection.Variables[capabilityVarLostStacks].Get(&lost); err != nil {
		return err
	}
	if r.lostStacks.Swap(lost) == lost {
		return nil
	}
	return makeRoom()
}

// retry deletes a call path without its stack, so that the kernel may record it again.
func (r *Recorder) retry(p capabilityCallPath) error {
	r.pathsWithoutStack.Add(1)
	if err := r.collection.Maps[capabilityMapCallPaths].Delete(p); err != nil &&
		!errors.Is(err, ebpf.ErrKeyNotExist) {
		return err
	}
	return nil
}

// Forget frees what the kernel keeps of containers that have ended. Read their checks before. It
// reads through everything kept, so forget many at once.
func (r *Recorder) Forget(cgroups ...uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	gone := map[uint64]bool{}
	for _, c := range cgroups {
		gone[c] = true
	}
	maps := r.collection.Maps
	err := errors.Join(
		drop(maps[capabilityMapChecks], func(k capabilityCheck, _ capabilityTally) bool {
			return gone[k.Own]
		}),
		drop(maps[capabilityMapCallPaths], func(k capabilityCallPath, _ uint64) bool {
			return gone[k.Check.Own]
		}),
		drop(maps[capabilityMapPrograms], func(k capabilityProgram, _ uint8) bool {
			return gone[k.Own]
		}),
		drop(maps[capabilityMapGroups], func(_ uint64, g capabilityGroup) bool {
			return gone[g.Own]
		}),
		drop(maps[capabilityMapHomes], func(k uint64, _ capabilityHome) bool { return gone[k] }),
		drop(maps[capabilityMapLosses], func(k, _ uint64) bool { return gone[k] }),
	)
	r.paths.forget(gone)
	if err != nil {
		return fmt.Errorf("forget %d cgroups: %w", len(gone), err)
	}
	return nil
}
