package learn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
)

// evidence makes a record of each container but those of which a run was missed: that nothing was seen of it would read as nothing needed.
func (r *recording) evidence() []dropcap.WorkloadEvidence {
	list := make([]dropcap.WorkloadEvidence, 0, len(r.byID))
	for _, w := range r.byID {
		if !w.blind() {
			list = append(list, r.record(w))
		}
	}
	slices.SortFunc(list, func(a, b dropcap.WorkloadEvidence) int { return strings.Compare(a.Workload, b.Workload) })
	return list
}

// blind tells whether some of what the container did cannot have been seen.
func (w *watched) blind() bool { return w.missed || w.live && w.cgroup == 0 }

// tellBlind says which containers there will be no evidence of, and why.
func (r *recording) tellBlind() {
	for id, w := range r.byID {
		if !w.blind() {
			continue
		}
		err := errors.New("it had no cgroup of version 2 of its own")
		if w.live {
			if _, why := r.e.Cgroup(w.c); why != nil {
				err = why
			}
		}
		r.q.Warn(fmt.Errorf("nothing is kept of %s, since its capability checks could not be told apart: %w", id[:12], err))
	}
}

func (r *recording) record(w *watched) dropcap.WorkloadEvidence {
	src := w.source
	src.Until = stamp(time.Now())
	if w.live {
		src.Seconds += int64(time.Since(w.started) / time.Second)
	}
	src.Lost, src.LossUnknown = w.lost, r.loss.Unknown
	var held caps.Set
	if s := w.c.Holds(); s != nil {
		held = *s
	}
	id := evidence.Identity{Workload: w.c.Workload, Revision: w.c.Revision, ImageID: w.c.ImageID}
	checks := append(slices.Clone(w.before), w.now...)
	for i := range checks {
		checks[i] = w.judged(checks[i]) // anew: by now more is known of which programs were written
	}
	return evidence.Build(checks, w.static, held, src, id)
}

// scan looks for what the files of each container need. One that is gone cannot be asked any more, and nothing is said of it.
func (r *recording) scan(ctx context.Context) {
	for id, w := range r.byID {
		if written, err := r.e.Written(ctx, id); err == nil {
			w.written = written // also of a container that has ended, and what it wrote since it was asked for first
		}
		var executed []dropcap.Executable
		for _, c := range append(slices.Clone(w.before), w.now...) {
			if c.Exe.Path != "" && !slices.Contains(executed, c.Exe) {
				executed = append(executed, c.Exe)
			}
		}
		static, err := r.e.Static(ctx, w.c, executed)
		switch {
		case err == nil:
			w.static = static
		case !errors.Is(err, dropcap.ErrNotFound):
			r.q.Warn(fmt.Errorf("the files of %s were not scanned for file capabilities: %w", id[:12], err))
		}
	}
}

func (r *recording) keep(ctx context.Context) error {
	for _, rec := range r.evidence() {
		if err := r.k.Keep(ctx, rec); err != nil {
			return fmt.Errorf("keep the evidence of %s: %w", rec.Workload, err)
		}
	}
	return nil
}
