package learn

import (
	"context"
	"errors"
	"time"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/image"
)

// mostLater limits for how many workloads of earlier recordings one recording scans files.
const mostLater = 1000

// makeUp starts scans for workloads whose recordings ended before their files were scanned, through
// a container that still exists.
func (r *recording) makeUp(ctx context.Context) {
	list, err := r.k.Unscanned(ctx)
	if err != nil {
		r.q.Warn(err)
	}
	for _, w := range list[:min(len(list), mostLater)] {
		if id := w.Sources[len(w.Sources)-1].Container; r.byID[id] == nil &&
			r.later[id].Workload == "" {
			r.later[id] = w
			r.lookAt(look{id: id, why: lateness})
		}
	}
}

// lookLater requests the scan once it is known how the container runs.
func (r *recording) lookLater(s sight) {
	w, ok := r.later[s.id]
	switch {
	case !ok:
	case errors.Is(s.err, dropcap.ErrNotFound):
		delete(r.later, s.id)
		r.madeUp(w, nil, gone)
	case s.err != nil || s.blank != nil || r.scans[s.id].tree != "" || !r.scanner.ask(s.id):
		delete(r.later, s.id)
	default:
		r.scans[s.id] = scanWish{late: true, entry: s.d.Entry, d: s.d}
	}
}

// scannedLater adds the result to the stored evidence.
func (r *recording) scannedLater(f found, wish scanWish, why string) {
	w, ok := r.later[f.id]
	if delete(r.later, f.id); !ok {
		return
	}
	run := image.Run{
		Entry: wish.entry, Executed: evidence.Programs(w), NoNewPrivs: wish.d.NoNewPrivs,
		Volumes: wish.d.Volumes,
	}
	var needs []dropcap.Need
	if f.err == nil {
		needs = image.Needs(f.files, run)
	}
	r.madeUp(w, needs, why)
}

func (r *recording) madeUp(w dropcap.WorkloadEvidence, needs []dropcap.Need, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.k.Scanned(ctx, w, needs, why); err != nil {
		r.q.Warn(err)
	}
}
