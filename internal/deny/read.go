package deny

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/bpf"
)

// Counts are exact numbers of denied checks, by capability.
type Counts map[caps.Cap]uint64

// Loss is what Denials and Counts lack.
type Loss struct {
	// Unrecorded denied checks are in Counts, and nothing else is known of them: there was no room.
	Unrecorded   uint64
	UnrecordedOf map[uint64]uint64 // by the container's cgroup
	NoStack      uint64            // call paths that were not kept
	// Uncounted denied checks are nowhere: 8,192 pairs of container and capability are counted.
	Uncounted uint64
	// Missed checks, on the whole host, were left to the kernel, since the program was interrupted
	// by itself.
	Missed uint64
}

// reader returns what reads the recorder's maps; it begins with the first call.
func (d *Denier) reader() (*bpf.Recorder, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.recorder != nil {
		return d.recorder, nil
	}
	r, err := bpf.NewRecorder(d.collection)
	if err != nil {
		return nil, err
	}
	d.recorder = r
	return r, nil
}

// Denials returns the denied checks, by kind and call path. Their counts are exact, but for what
// Loss says.
func (d *Denier) Denials() ([]dropcap.KernelCheck, Loss, error) {
	r, err := d.reader()
	if err != nil {
		return nil, Loss{}, fmt.Errorf("read what was denied: %w", err)
	}
	list, _, err := r.Checks()
	if err != nil {
		return nil, Loss{}, err
	}
	for i := range list {
		list[i].Trial = true
	}
	loss, err := d.loss()
	return list, loss, err
}

func (d *Denier) loss() (l Loss, err error) {
	for name, into := range map[string]*uint64{denialVarLostFull: &l.Unrecorded,
		denialVarLostStacks: &l.NoStack, denialVarLostCounts: &l.Uncounted,
		denialVarMissed: &l.Missed} {
		err = errors.Join(err, d.collection.Variables[name].Get(into))
	}
	stats, statsErr := d.program.Stats()
	if statsErr == nil {
		l.Missed += stats.RecursionMisses
	}
	if err = errors.Join(err, statsErr); err == nil {
		l.UnrecordedOf, err = bpf.Read[uint64, uint64](d.collection.Maps[denialMapLosses])
	}
	if err != nil {
		return l, fmt.Errorf("read what was lost: %w", err)
	}
	return l, nil
}

// Counts returns the number of denied checks of each container that had any, by its own cgroup.
func (d *Denier) Counts() (map[uint64]Counts, error) {
	list, err := bpf.Read[denialCounted, uint64](d.collection.Maps[denialMapCounts])
	if err != nil {
		return nil, fmt.Errorf("count what was denied: %w", err)
	}
	out := map[uint64]Counts{}
	for k, n := range list {
		if out[k.Own] == nil {
			out[k.Own] = Counts{}
		}
		out[k.Own][caps.Cap(k.Cap)] = n
	}
	return out, nil
}

// Forget frees what is kept of containers that have ended, and what Deny said of them. Read their
// denials before.
func (d *Denier) Forget(cgroups ...uint64) error {
	r, err := d.reader()
	if err != nil {
		return fmt.Errorf("forget containers: %w", err)
	}
	counts, err := d.Counts()
	if err != nil {
		return err
	}
	for _, own := range cgroups {
		err = errors.Join(err, d.Deny(own, 0))
		for c := range counts[own] {
			key := denialCounted{Own: own, Cap: uint64(c)}
			if e := d.collection.Maps[denialMapCounts].Delete(key); !errors.Is(e,
				ebpf.ErrKeyNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	return errors.Join(err, r.Forget(cgroups...))
}

// Denied receives a value when there are denials of a new kind, or some that could not be recorded.
// One value may stand for many.
func (d *Denier) Denied() <-chan struct{} { return d.news.woken }

// news tells that the kernel has denied something new.
type news struct {
	reader *ringbuf.Reader
	woken  chan struct{}
	done   chan struct{}
}

func listen(m *ebpf.Map) (*news, error) {
	r, err := ringbuf.NewReader(m)
	if err != nil {
		return nil, err
	}
	n := &news{reader: r, woken: make(chan struct{}, 1), done: make(chan struct{})}
	go n.read()
	return n, nil
}

func (n *news) read() {
	defer close(n.done)
	var record ringbuf.Record
	for {
		if err := n.reader.ReadInto(&record); errors.Is(err, ringbuf.ErrClosed) {
			return
		}
		select {
		case n.woken <- struct{}{}:
		default:
		}
	}
}

func (n *news) close() error {
	err := n.reader.Close()
	<-n.done
	return err
}
