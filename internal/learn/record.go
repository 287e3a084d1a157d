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

// evidence builds a record of each container, except those with a missed run: their record would
// read as if nothing was needed.
func (r *recording) evidence() []dropcap.WorkloadEvidence {
	if r.q.Service {
		return nil
	}
	list := make([]dropcap.WorkloadEvidence, 0, len(r.byID))
	for _, w := range r.byID {
		if w.known && !w.blind() {
			list = append(list, r.record(w))
		}
	}
	slices.SortFunc(list, func(a, b dropcap.WorkloadEvidence) int {
		return strings.Compare(a.Workload, b.Workload)
	})
	return list
}

// blind reports whether part of what the container did cannot have been observed.
func (w *watched) blind() bool { return w.missed || w.live && w.cgroup == 0 }

// ErrBlind is passed to Warn for a container whose checks could not be told from others'.
var ErrBlind = errors.New("its capability checks could not be told apart")

// tellBlind reports the containers that get no evidence, and why.
func (r *recording) tellBlind() {
	for id, w := range r.byID {
		switch {
		case !w.known:
			r.tellNameless(w)
		case w.blind():
			r.tellBlindOne(id, w)
		}
	}
}

// tellNameless reports a container that nobody could look at in time, so that its checks cannot be
// attributed.
func (r *recording) tellNameless(w *watched) {
	r.q.Warn(fmt.Errorf("nothing is kept of %s (%s): %w: it was gone before the engine could "+
		"tell what it was", w.id[:12], w.name, ErrBlind))
}

func (r *recording) tellBlindOne(id string, w *watched) {
	err := errors.New("it had no cgroup of version 2 of its own")
	if w.live {
		if _, why := r.e.Cgroup(w.c); why != nil {
			err = why
		}
	}
	r.q.Warn(fmt.Errorf("nothing is kept of %s, since %w: %w", id[:12], ErrBlind, err))
}

// holds adds what a container holds now, and what it is granted when it starts: it may give all of
// it up before anybody looks.
func (w *watched) holds(c dropcap.Container) {
	if now := c.Holds(); now != nil {
		w.held |= *now
	}
	if c.Predicted != nil {
		w.held |= *c.Predicted
	}
}

// build builds the evidence of the present checks, with the needs of its files if given.
func (r *recording) build(w *watched, static []dropcap.Need) dropcap.WorkloadEvidence {
	src := w.source
	// By the monotonic clock: a record whose time went back would count as older than the one
	// before it.
	src.Until = stamp(w.begun.Round(0).Add(time.Since(w.begun)))
	if w.live {
		src.Seconds += int64(time.Since(w.started) / time.Second)
	}
	src.Lost, src.LossUnknown, src.CallsUnseen = w.lost, r.loss.Unknown, r.loss.CallsUnseen
	id := evidence.Identity{Workload: w.c.Workload, Revision: w.c.Revision, ImageID: w.c.ImageID}
	return evidence.Build(w.now, static, w.held.Minus(w.unlearnable()), src, id)
}

// unlearnable is what a hold denied and nobody saw granted: as if it had not been held.
func (w *watched) unlearnable() caps.Set {
	set := w.heldBack
	for _, c := range w.now {
		if c.Granted {
			set = set.Minus(caps.Of(c.Cap))
		}
	}
	return set
}

// noteHolds asks which containers' capabilities holds deny.
func (r *recording) noteHolds(ctx context.Context) {
	if r.q.HeldBack == nil {
		return
	}
	by, err := r.q.HeldBack(ctx)
	if err != nil {
		r.q.Warn(fmt.Errorf("learning without knowing what holds deny: %w", err))
	}
	for id, w := range r.byID {
		if more := by[id].Minus(w.heldBack); !more.Empty() {
			w.heldBack, w.changed = w.heldBack|more, true
		}
	}
}

func (r *recording) record(w *watched) dropcap.WorkloadEvidence {
	static, unseen := r.static(w)
	now := r.build(w, static)
	now.Sources[0].FilesUnseen = unseen
	if w.past != nil {
		return evidence.Extend(*w.past, now)
	}
	return evidence.Conclude(now)
}

// idleKeep is how often evidence is stored in which only the time has changed.
const idleKeep = 15 * time.Minute

// keep stores what has changed, or everything. In a service it then forgets what has ended.
func (r *recording) keep(ctx context.Context, all bool) error {
	r.noteHolds(ctx)
	all = all || time.Since(r.fully) > idleKeep
	var list []dropcap.WorkloadEvidence
	var written []*watched
	for _, w := range r.byID {
		if w.known && !w.blind() && (all || w.changed || !r.q.Service) {
			rec := r.record(w)
			r.tellNeeds(rec)
			list, written = append(list, rec), append(written, w)
		}
	}
	for _, rec := range r.done {
		list = append(list, rec)
	}
	err := r.k.Keep(ctx, list...)
	if err == nil && !r.keeping {
		r.q.Say("evidence can be kept again")
	}
	r.keeping = err == nil
	if err == nil {
		clear(r.done)
		for _, w := range written {
			w.changed = false
		}
		if all {
			r.fully = time.Now()
		}
	}
	if r.q.Service {
		r.forgetEnded()
	}
	return err
}

// mostDone limits how many workloads' evidence waits for a full store; beyond that, evidence is
// lost.
const mostDone = 4096

// forgetEnded frees what is kept of containers that have ended. What could not be stored waits,
// merged by workload.
func (r *recording) forgetEnded() {
	for id, w := range r.byID {
		switch {
		case !w.known && !w.live && r.lookingAt[w.id] == 0:
			r.tellNameless(w)
		case !w.known:
			continue
		case w.blind() && !w.blindSaid && (!w.live || time.Since(w.started) > startPhase):
			w.blindSaid = true
			r.tellBlindOne(id, w)
		case w.blind() || w.live:
		case r.looking(w): // its record is incomplete
			continue
		case w.changed:
			r.shelve(r.record(w))
		}
		if w.live || w.ending {
			continue
		}
		delete(r.byID, id)
	}
	said := map[string]caps.Set{}
	for _, w := range r.byID {
		said[w.c.Workload] = r.needSaid[w.c.Workload]
	}
	if len(r.needSaid) > mostDone {
		r.needSaid = said
	}
}

func (r *recording) shelve(rec dropcap.WorkloadEvidence) {
	key := [2]string{rec.Workload, rec.Revision}
	have, ok := r.done[key]
	if !ok && len(r.done) >= mostDone {
		r.q.Warn(fmt.Errorf("the evidence of %s is lost: it cannot be kept, and too much waits "+
			"already", rec.Workload))
		return
	}
	if ok {
		rec = evidence.Merge([]dropcap.WorkloadEvidence{have, rec}, evidence.AcrossHosts)[0]
	}
	r.done[key] = evidence.Trim(rec, func(dropcap.Source) bool { return false })
}

// tellNeeds reports which needs of a workload are new since the last time.
func (r *recording) tellNeeds(w dropcap.WorkloadEvidence) {
	if !r.q.Service {
		return
	}
	said, known := r.needSaid[w.Workload]
	if fresh := w.Required.Minus(said); !known || !fresh.Empty() {
		r.q.Say("%s: %s needs %s so far; confidence %s", w.Workload, w.Sources[0].Container[:12],
			w.Required.Short(), w.Confidence.Level)
	}
	r.needSaid[w.Workload] = said | w.Required
}
