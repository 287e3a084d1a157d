package learn

import (
	"slices"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
)

// sync reads the counters when it is time, closes runs that have ended, and advances phases.
func (r *recording) sync(now bool) error {
	if err := r.sightings(); err != nil {
		return err
	}
	for _, w := range r.byID {
		if w.live {
			r.agePhases(w)
		}
	}
	if !now && !r.ending && time.Since(r.looked) < r.q.Read {
		return nil
	}
	r.estrange()
	r.forgetStrangers()
	if err := r.read(); err != nil {
		return err
	}
	for _, w := range r.byID {
		if w.live {
			r.wantOwnFiles(w, false)
		}
	}
	r.finish(false)
	return nil
}

// settle reads the counters and closes the ended run, even if more could still be learned about it:
// the next run begins.
func (r *recording) settle() {
	if err := r.read(); err != nil {
		r.q.Warn(err)
		return
	}
	r.finish(true)
}

func (r *recording) sightings() error {
	seen, err := r.t.Sightings()
	for _, s := range seen {
		r.pending = append(r.pending, pending{s, time.Now()})
	}
	if len(r.pending) > 0 {
		r.match()
	}
	return err
}

// read assigns everything counted to its containers.
func (r *recording) read() error {
	if err := r.sightings(); err != nil {
		return err
	}
	checks, loss, err := r.t.Checks()
	if err != nil {
		return err
	}
	if loss.Checks > r.loss.Checks {
		r.q.Say("%d capability checks of this host were lost so far", loss.Checks)
	}
	r.looked, r.loss = time.Now(), loss
	for _, w := range r.byID {
		w.now = w.now[:0]
	}
	for _, c := range checks {
		if w := r.byCgroup[c.Cgroup]; w != nil && w.cgroup == c.Cgroup {
			w.now = append(w.now, w.judged(c))
		}
	}
	for cgroup, n := range loss.Of {
		if w := r.byCgroup[cgroup]; w != nil {
			w.lost = max(w.lost, n)
		}
	}
	for _, w := range r.byID {
		r.counted(w)
	}
	return nil
}

// counted records what is new in a container's checks.
func (r *recording) counted(w *watched) {
	sum := uint64(len(w.now))
	for _, c := range w.now {
		sum += c.Count
		if c.Granted {
			r.used |= caps.Of(c.Cap)
		}
		if c.Origin == dropcap.OriginInit {
			// what docker exec adds, the workload does not hold
			w.held |= c.Held
		}
		e := dropcap.Executable{Path: c.Exe.Path, Inode: c.Exe.Inode, From: c.Exe.From}
		if e.Path != "" && len(w.executed) < mostExecuted && !slices.Contains(w.executed, e) {
			w.executed = append(w.executed, e)
		}
	}
	if sum != w.sum {
		w.sum, w.changed = sum, true
	}
}

// mostExecuted limits how many programs of a container are remembered, to match them with file
// capabilities.
const mostExecuted = 1000

// finish stores the counts of runs that have ended, and frees the kernel's counters for them. If a
// pending look may still identify a run's cgroup, finish waits for that, unless now is set.
func (r *recording) finish(now bool) {
	if !r.ending {
		return
	}
	r.ending = false
	var over []uint64
	for _, w := range r.byID {
		if !w.ending {
			continue
		}
		if (w.cgroup == 0 || w.undecided) && r.lookingAt[w.id] > 0 && !now {
			r.ending = true
			continue
		}
		w.ending = false
		if w.cgroup == 0 {
			w.missed = true
			continue
		}
		if len(w.now) > 0 {
			r.fold(w)
		}
		if r.q.Service {
			r.wantOwnFiles(w, true)
		}
		over = append(over, w.cgroup)
		delete(r.byCgroup, w.cgroup)
		r.gone[w.cgroup] = time.Now()
		w.cgroup, w.sum = 0, 0
	}
	if len(over) == 0 {
		return
	}
	if err := r.t.Forget(over...); err != nil {
		r.q.Warn(err)
	}
}

// fold adds the checks of an ended run to the container's past.
func (r *recording) fold(w *watched) {
	run := r.build(w, nil)
	if w.past != nil {
		run = evidence.Extend(*w.past, run)
	}
	w.past, w.now = &run, nil
}

// judged counts a program that has not changed since the first start of its container as the
// image's, and marks what came by docker exec.
func (w *watched) judged(c dropcap.KernelCheck) dropcap.KernelCheck {
	c.Phase = phaseOf(c.Phase, c.Origin)
	if c.Exe.Old && w.cold {
		c.Exe.From = dropcap.FromImage
	}
	return c
}
