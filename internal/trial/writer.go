package trial

import (
	"context"
	"errors"
	"sync"
	"time"

	"dropcap"
)

// writer writes trials and evidence down, beside the loop: a slow disk must not keep what hurts
// from being lifted. Of one trial only the latest state waits.
type writer struct {
	p     Keeper
	o     Options
	one   sync.Mutex // held while writing
	mu    sync.Mutex
	items map[string]item // by the trial's id
	wake  chan struct{}
	err   error // of the last attempt
}

type item struct {
	doc  dropcap.Trial
	w    *dropcap.WorkloadEvidence
	done func() // once it is written, or given up
}

// again is how long a store that failed is left alone.
const again = 5 * time.Second

func newWriter(p Keeper, o Options) *writer {
	return &writer{p: p, o: o, items: map[string]item{}, wake: make(chan struct{}, 1)}
}

func (w *writer) put(doc dropcap.Trial, e *dropcap.WorkloadEvidence, done func()) {
	w.mu.Lock()
	w.items[doc.ID] = item{doc, e, done}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		for !w.write(ctx) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(again):
			}
		}
	}
}

// write writes all that waits, and reports whether that worked.
func (w *writer) write(ctx context.Context) bool {
	w.one.Lock()
	defer w.one.Unlock()
	w.mu.Lock()
	items := w.items
	w.items = map[string]item{}
	w.mu.Unlock()
	var failed error
	for id, it := range items {
		err := w.p.Save(ctx, it.doc)
		if it.w != nil {
			err = errors.Join(err, w.p.Keep(ctx, *it.w))
		}
		if err != nil {
			failed = err
			w.mu.Lock()
			if newer, ok := w.items[id]; !ok || newer.done == nil && it.done != nil {
				w.items[id] = it
			}
			w.mu.Unlock()
			continue
		}
		if it.done != nil {
			it.done()
		}
	}
	w.mu.Lock()
	tell := failed != nil && w.err == nil
	w.err = failed
	w.mu.Unlock()
	if tell && ctx.Err() == nil {
		w.o.Warn(failed)
	}
	return failed == nil
}

// drain writes what waits, once more if that fails, and gives up then. The error is why.
func (w *writer) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, saveLimit)
	defer cancel()
	for range 2 {
		if w.write(ctx) {
			return nil
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, it := range w.items {
		if it.done != nil {
			it.done()
		}
		delete(w.items, id)
	}
	return w.err
}
