package learn

import (
	"errors"
	"regexp"
	"slices"
	"time"
)

// sights are the cgroups with a container's name that the kernel has shown.
type sights struct {
	pending    []pending            // not yet matched with a container of the engine
	foreigners []uint64             // found to be strangers since the counters were last read
	strangers  map[uint64]time.Time // not watched: another engine's, or not requested
	// of ended runs: what still ends in them is not the next run
	gone map[uint64]time.Time
}

type pending struct {
	Sighting
	since time.Time
}

func newSights() sights {
	return sights{strangers: map[uint64]time.Time{}, gone: map[uint64]time.Time{}}
}

const (
	mostPending = 4096
	// patience is how long the engine may take to report a container that the kernel has shown, if
	// all of its containers are recorded.
	patience = 2 * time.Minute
	// remembered is how long cgroups that are not recorded are known. Then they are forgotten
	// everywhere: one that still runs shows up again.
	remembered = time.Hour
)

// attach assigns a cgroup to the container's present run.
func (r *recording) attach(w *watched, cgroup uint64) {
	w.cgroup = cgroup
	r.byCgroup[cgroup] = w
	delete(r.strangers, cgroup)
	if err := r.t.Watch(cgroup, true); err != nil {
		r.q.Warn(err)
	}
	r.setPhase(w, w.phase)
}

// match assigns the cgroups to the containers whose id they contain. A name alone is no proof: the
// engine must have reported that container, and the cgroup must not lie below a container's.
func (r *recording) match() {
	left := r.pending[:0]
	for _, s := range r.pending {
		switch w := r.named(s.Sighting); {
		case w != nil && (w.cgroup != 0 || !w.live && !w.ending):
			// The kernel shows the next start before the engine has reported it, or the end before
			// it. It waits for its turn.
			left = append(left, s)
		case w != nil:
			r.attach(w, s.Cgroup)
		case !r.gone[s.Cgroup].IsZero() || r.byCgroup[s.Cgroup] != nil:
		case r.foreign(s):
			r.foreigners = append(r.foreigners, s.Cgroup)
		default:
			left = append(left, s)
		}
	}
	if len(left) > mostPending {
		left = left[len(left)-mostPending:]
	}
	r.pending = left
}

var containerID = regexp.MustCompile(`[0-9a-f]{64}`)

func (r *recording) named(s Sighting) *watched {
	if r.byCgroup[s.Cgroup] != nil || !r.gone[s.Cgroup].IsZero() || slices.ContainsFunc(s.Ancestors,
		r.ours) {
		return nil
	}
	return r.byID[containerID.FindString(s.Name)]
}

func (r *recording) ours(cgroup uint64) bool { return r.byCgroup[cgroup] != nil }

// foreign reports whether a cgroup belongs to none of the requested containers. The kernel counts
// every container from its first check on, since a start is over before the engine reports it; what
// nobody requested, or no engine of ours knows, is ignored from here on.
func (r *recording) foreign(s pending) bool {
	if slices.ContainsFunc(s.Ancestors, r.ours) {
		return false
	}
	if r.q.Only != nil {
		return !r.q.Only[containerID.FindString(s.Name)]
	}
	return time.Since(s.since) > patience
}

// estrange stops watching foreign cgroups, and frees what was counted of them: of all at once,
// since that reads through everything counted.
func (r *recording) estrange() {
	if len(r.foreigners) == 0 {
		return
	}
	errs := []error{r.t.Forget(r.foreigners...)}
	for _, cgroup := range r.foreigners {
		r.strangers[cgroup] = time.Now()
		errs = append(errs, r.t.Watch(cgroup, false))
	}
	r.foreigners = nil
	if err := errors.Join(errs...); err != nil {
		r.q.Warn(err)
	}
}

// forgetStrangers frees what is kept of cgroups that have not been recorded for an hour.
func (r *recording) forgetStrangers() {
	var old []uint64
	for cgroup, since := range r.strangers {
		if time.Since(since) > remembered {
			old = append(old, cgroup)
			delete(r.strangers, cgroup)
		}
	}
	for cgroup, since := range r.gone {
		if time.Since(since) > remembered {
			delete(r.gone, cgroup)
		}
	}
	if len(old) == 0 {
		return
	}
	if err := r.t.Forget(old...); err != nil {
		r.q.Warn(err)
	}
}
