package apply

import (
	"time"

	"dropcap"
)

// wanted is the goal of the way back, by the journal.
type wanted struct {
	id, name, backup, aside string // of the old one, and the new one's name where it is kept
	policy                  restartPolicy
	ran                     bool // the old one ran when the change began
	touched                 bool // something may have been stopped
	keepNew                 bool
	first                   string // id of the old one as it was before the change
	layerCarried            bool   // its layer was carried into the new one
	grace                   time.Duration
	startedAt               time.Time // the old one's last start before the change
	linkedTo                bool      // others of its group link to it
	// when the stop may have gone out, at the earliest; zero if it has not
	switched time.Time
}

// memory is what this attempt has learnt besides what can be observed. It only makes the attempt
// end: nothing that must be done depends on it.
type memory struct {
	irremovable bool // the new one could not be removed
	whole       bool // the old one was made again, with its networks
	carried     bool // the new one's layer was carried back into it
	stopped     bool // the old one was stopped once more
	started     bool
	unnoted     bool // the journal does not know that the old one is another
}

// next tells what comes next on the way back, from what is seen of the two; nil: wait, or all is
// done. It is a function of that alone, so that it leads to the same end after a crash anywhere,
// also of an earlier attempt. The order keeps at most one of the two able to run: the new one is
// stopped, and gone or held, before the old one has its name and policy again.
func (w wanted) next(now time.Time, old, new *containerState,
	m memory) (e *dropcap.Effect, wait bool) {
	if w.touched && old == nil {
		return &dropcap.Effect{Name: "create-again"}, false
	}
	if w.touched && old.ID != w.id && !old.began() && !m.whole {
		// An earlier attempt made it again and ended before it was whole, or before that was noted.
		// It has never run.
		return one(remove("remove-again", "remove the unfinished copy of the old "+w.name, old.ID)),
			false
	}
	if new.alive() {
		return one(stop("stop-new", "stop the new "+w.name, new.ID, new.grace())), false
	}
	if e := w.carryAgain(old, new, m); w.touched && e != nil {
		return e, false
	}
	if e := w.clear(new, m); e != nil {
		return e, false
	}
	if !w.touched {
		return nil, false
	}
	switch {
	case old.Name != w.name:
		return one(rename("rename-old-back", old.ID, w.name)), false
	case !old.HostConfig.RestartPolicy.same(w.policy):
		return one(policy("restore-old", "give the old "+w.name+" its restart policy back", old.ID,
			w.policy)), false
	case w.stopping(old, m) && w.grace < 0 && now.Sub(w.switched) < time.Hour:
		// It may have been told to stop and may do so whenever it likes: only a stop of our own
		// says when it has.
		return one(stop("stop-old", "wait for the old "+w.name+" to stop", old.ID, w.grace)), false
	case w.stopping(old, m) && now.Before(w.switched.Add(w.grace+settling)):
		return nil, true
	case w.ran && !old.alive() && !m.started:
		return one(start("start-old", "start the old "+w.name, old.ID)), false
	}
	return nil, false
}

// settling is how long a stop may take beyond its grace period: the kill, and the engine's own
// bookkeeping.
const settling = 10 * time.Second

// stopping reports whether a stop that went out may still be under way in the engine: it goes on
// there without us.
func (w wanted) stopping(old *containerState, m memory) bool {
	return old.alive() && !w.switched.IsZero() && !m.stopped && !m.started &&
		old.State.StartedAt.Equal(w.startedAt)
}

// clear takes the new one, which is stopped, out of the way. One that has never run is removed: the
// engine does not begin that while a start is under way, and no start comes after it (moby
// daemon/delete.go), so that a start that nobody knows the end of can do no harm any more. One that
// has run is put aside first, since its own layer may hold what is nowhere else; whether it does is
// looked at once the old one runs again.
func (w wanted) clear(new *containerState, m memory) *dropcap.Effect {
	switch {
	case new == nil:
		return nil
	case w.linkedTo && !w.keepNew && !new.began() && new.Name == w.name:
		// An engine goes on telling of links to a container that is gone, by the name that it had
		// (moby daemon/links.go, delete): it must not be the old one's.
		return one(rename("rename-new-back", new.ID, w.aside))
	case !w.keepNew && !m.irremovable && !new.began():
		return one(remove("remove-new", "remove the new "+w.name, new.ID))
	case !new.HostConfig.RestartPolicy.never():
		return one(policy("hold-new", "keep the engine from starting the new one", new.ID,
			restartPolicy{Name: "no"}))
	case new.Name != w.aside:
		return one(rename("rename-new-back", new.ID, w.aside))
	}
	return nil
}

func one(e dropcap.Effect) *dropcap.Effect { return &e }
