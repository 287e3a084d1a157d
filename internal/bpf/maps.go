package bpf

import (
	"errors"
	"strings"
	"time"

	"github.com/cilium/ebpf"
)

type entry[K, V any] struct {
	key   K
	value V
}

// entries reads a hash map while programs write to it: bucket by bucket in few calls, each bucket
// at one moment (__htab_map_lookup_and_delete_batch in kernel/bpf/hashtab.c), so that it sees no
// entry twice and misses none that stays. One call for each entry costs ten times as much.
func entries[K comparable, V any](m *ebpf.Map) ([]entry[K, V], error) {
	const batch = 1024
	var (
		list   []entry[K, V]
		cursor ebpf.MapBatchCursor
		keys   = make([]K, batch)
		values = make([]V, batch)
	)
	for {
		n, err := m.BatchLookup(&cursor, keys, values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return entriesSlowly[K, V](m)
		}
		for i := range n {
			list = append(list, entry[K, V]{keys[i], values[i]})
		}
		if err != nil {
			return list, nil
		}
	}
}

// Read returns the entries of a hash map that programs may be writing to.
func Read[K comparable, V any](m *ebpf.Map) (map[K]V, error) {
	list, err := entries[K, V](m)
	out := make(map[K]V, len(list))
	for _, e := range list {
		out[e.key] = e.value
	}
	return out, err
}

// entriesSlowly is for kernels without batches, and for buckets with more entries than fit. The
// order changes under a reader, so the library may see a bucket twice or give up: entries are told
// apart by key, and it begins again.
func entriesSlowly[K comparable, V any](m *ebpf.Map) ([]entry[K, V], error) {
	const tries = 5
	for try := 1; ; try++ {
		list, err := entriesOnce[K, V](m)
		if !errors.Is(err, ebpf.ErrIterationAborted) || try == tries {
			return list, err
		}
	}
}

func entriesOnce[K comparable, V any](m *ebpf.Map) ([]entry[K, V], error) {
	var (
		list []entry[K, V]
		k    K
		v    V
		seen = map[K]bool{}
	)
	all := m.Iterate()
	for all.Next(&k, &v) {
		if !seen[k] {
			seen[k] = true
			list = append(list, entry[K, V]{k, v})
		}
	}
	return list, all.Err()
}

// drop deletes the matching entries.
func drop[K comparable, V any](m *ebpf.Map, match func(K, V) bool) error {
	list, err := entries[K, V](m)
	if err != nil {
		return err
	}
	for _, e := range list {
		if !match(e.key, e.value) {
			continue
		}
		if err := m.Delete(e.key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
	}
	return nil
}

// text reads a C string.
func text(chars []int8) string {
	var b strings.Builder
	for _, c := range chars {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

// clock returns a function that converts the programs' time to wall-clock time, as of now.
func clock() func(uint64) time.Time {
	now, boot := time.Now(), sinceBoot()
	return func(t uint64) time.Time { return now.Add(time.Duration(t) - boot) }
}

// BootTime converts a time to the clock of the programs, as of now; 0 is the last boot, and before.
func BootTime(t time.Time) uint64 { return uint64(max(0, sinceBoot()+time.Until(t))) }

// bytesEach returns the size of what a map holds once for each possible processor
// (kernel/bpf/hashtab.c, arraymap.c): a per-CPU value, or a hash's spare element and its pointer,
// and the counts of its locks.
func bytesEach(m *ebpf.Map) uint64 {
	const header, pointer, locks = 48, 8, 8 * 4 // struct htab_elem; HASHTAB_MAP_LOCK_COUNT ints
	round := func(n uint32) uint64 { return (uint64(n) + 7) &^ 7 }
	switch m.Type() {
	case ebpf.PerCPUArray:
		return round(m.ValueSize()) * uint64(m.MaxEntries())
	case ebpf.Hash:
		return header + round(m.KeySize()) + round(m.ValueSize()) + pointer + locks
	case ebpf.LRUHash:
		return locks
	default:
		return 0
	}
}
