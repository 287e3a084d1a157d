package learn

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
)

// startPhase is how long after its start a container's checks count as those of starting.
const startPhase = 10 * time.Second

// recording is one run of learn. One goroutine owns it.
type recording struct {
	t     Tracer
	e     Engine
	k     Keeper
	q     Query
	began time.Time

	byID     map[string]*watched
	byCgroup map[uint64]*watched
	created  map[string]created // containers that were created and have not started
	pending  []Sighting         // not yet matched with a container of the engine
	loss     Loss
}

// created is what is known of a container before it starts: one that lives for milliseconds cannot be asked later.
type created struct {
	c dropcap.Container
	d Details
}

// watched is one container under record. Each of its starts has a cgroup of its own.
type watched struct {
	c       dropcap.Container
	d       Details
	written map[string]bool
	static  []dropcap.Need
	cgroup  uint64 // the present one; 0 if it does not run or is not known
	live    bool
	started time.Time // of the present run, or when watching it began
	phased  bool      // the phase of starting is over
	missed  bool      // a run of it was in no cgroup that the kernel's counters know
	source  dropcap.Source
	before  []dropcap.KernelCheck // of cgroups that are gone
	now     []dropcap.KernelCheck
	lost    uint64
}

// present takes up the containers that run already; their start was not seen.
func (r *recording) present(ctx context.Context) error {
	refs, err := r.e.Running(ctx)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if r.wanted(ref.ID) {
			r.take(ctx, ref.ID, time.Now(), false)
		}
	}
	return nil
}

func (r *recording) wanted(id string) bool { return r.q.Only == nil || r.q.Only[id] }

// on follows one event.
func (r *recording) on(ctx context.Context, ev Event) {
	if ev.Action == "reconnected" {
		if err := r.present(ctx); err != nil {
			r.q.Warn(err)
		}
		return
	}
	if !r.wanted(ev.ID) {
		return
	}
	switch ev.Action {
	case "create":
		r.meet(ctx, ev.ID)
	case "start":
		// The engine also tells what was shortly before: such a start was not watched.
		r.take(ctx, ev.ID, ev.Time, ev.Time.After(r.began))
	case "kill":
		r.signalled(ev)
	case "die":
		r.ended(ev)
	case "destroy":
		delete(r.created, ev.ID)
	}
}

func (r *recording) meet(ctx context.Context, id string) {
	c, err := r.e.See(ctx, id)
	if err != nil {
		return
	}
	if d, err := r.e.Details(ctx, id); err == nil {
		r.created[id] = created{c, d}
	}
}

// take begins or goes on to record a container.
func (r *recording) take(ctx context.Context, id string, at time.Time, started bool) {
	w := r.byID[id]
	if w != nil && w.live && !started {
		return
	}
	early, known := r.created[id]
	delete(r.created, id)
	c, err := r.e.See(ctx, id)
	switch {
	case err == nil:
	case !errors.Is(err, dropcap.ErrNotFound):
		r.q.Warn(err)
		return
	case w != nil:
		c = w.c
	case known:
		c = early.c
	default:
		return // it is gone, and nothing is known of it that evidence could belong to
	}
	if w == nil {
		w = &watched{source: dropcap.Source{Container: id, Since: stamp(time.Now()), Complete: r.q.Complete && (r.q.Only != nil || started)}}
		w.source.Host.ID = r.q.Host
		r.byID[id] = w
	}
	w.c = c
	if d, err := r.e.Details(ctx, id); err == nil {
		w.d = d
	} else if known {
		w.d = early.d
	}
	if known {
		w.d.Ran = false
	}
	if started && w.d.Ran || started && w.source.StartsCold+w.source.StartsWarm > 0 {
		w.source.StartsWarm++
	} else if started {
		w.source.StartsCold++
	}
	w.live, w.started, w.phased = true, at, !started
	r.bind(w, started)
}

// bind finds the container's cgroup: by its processes while it runs, else by what the kernel saw.
func (r *recording) bind(w *watched, started bool) {
	if c, err := r.e.Cgroup(w.c); err == nil && w.c.Running() {
		r.attach(w, c)
		if started {
			r.phase(c, dropcap.PhaseStart)
		} else {
			r.phase(c, dropcap.PhaseRun)
		}
		return
	}
	r.match()
}

func (r *recording) attach(w *watched, cgroup uint64) {
	w.cgroup = cgroup
	r.byCgroup[cgroup] = w
	if err := r.t.Watch(cgroup, true); err != nil {
		r.q.Warn(err)
	}
}

func (r *recording) phase(cgroup uint64, phase string) {
	if err := r.t.SetPhase(cgroup, phase); err != nil {
		r.q.Warn(err)
	}
}

// match gives cgroups that were seen to the containers whose id they carry. A name alone convinces nobody: the engine must have reported
// that container, and the cgroup must not lie below a container's.
func (r *recording) match() {
	left := r.pending[:0]
	for _, s := range r.pending {
		switch w := r.named(s); {
		case w != nil && w.cgroup != 0:
			// The kernel shows the next start before the engine has told of the end: it waits for its turn.
			left = append(left, s)
			continue
		case w != nil:
			r.attach(w, s.Cgroup)
			continue
		case r.byCgroup[s.Cgroup] != nil:
			continue
		}
		if r.foreign(s) {
			if err := r.t.Watch(s.Cgroup, false); err != nil {
				r.q.Warn(err)
			}
			continue
		}
		left = append(left, s)
	}
	const most = 4096 // of containers of other engines
	if len(left) > most {
		left = left[len(left)-most:]
	}
	r.pending = left
}

func (r *recording) named(s Sighting) *watched {
	if _, known := r.byCgroup[s.Cgroup]; known {
		return nil
	}
	for _, a := range s.Ancestors {
		if r.byCgroup[a] != nil {
			return nil
		}
	}
	for id, w := range r.byID {
		if strings.Contains(s.Name, id) {
			return w
		}
	}
	return nil
}

// foreign tells whether a cgroup is not of the containers that are asked for. The kernel counts every container from its first check on, since
// a start is over before the engine has told of it; what nobody asked for is left alone from here on.
func (r *recording) foreign(s Sighting) bool {
	if r.q.Only == nil {
		return false
	}
	for id := range r.q.Only {
		if strings.Contains(s.Name, id) {
			return false
		}
	}
	return !slices.ContainsFunc(s.Ancestors, func(a uint64) bool { return r.byCgroup[a] != nil })
}

func (r *recording) signalled(ev Event) {
	w := r.byID[ev.ID]
	if w == nil || w.cgroup == 0 {
		return
	}
	switch ev.Signal {
	case "1", "10", "12": // HUP, USR1, USR2: what servers take for a reload
		r.phase(w.cgroup, dropcap.PhaseReload)
		w.phased, w.started = false, ev.Time
	default:
		r.phase(w.cgroup, dropcap.PhaseStop)
		w.phased = true
	}
}

// ended reads the last of a container's checks and frees the kernel's counters of it.
func (r *recording) ended(ev Event) {
	w := r.byID[ev.ID]
	if w == nil || !w.live {
		return
	}
	w.live = false
	w.source.Stops++
	w.source.Seconds += int64(max(0, ev.Time.Sub(w.started)) / time.Second)
	if err := r.read(); err != nil {
		r.q.Warn(err)
		return
	}
	w.before = append(w.before, w.now...)
	w.now = nil
	if w.cgroup == 0 {
		w.missed = true
		return
	}
	if err := r.t.Forget(w.cgroup); err != nil {
		r.q.Warn(err)
	}
	w.cgroup = 0
}

// sync reads the counters, and moves containers from starting to running.
func (r *recording) sync(ctx context.Context) error {
	if err := r.read(); err != nil {
		return err
	}
	for _, w := range r.byID {
		if w.live && !w.phased && w.cgroup != 0 && time.Since(w.started) > startPhase {
			w.phased = true
			r.phase(w.cgroup, dropcap.PhaseRun)
		}
		if w.live && w.written == nil {
			w.written, _ = r.e.Written(ctx, w.c.ID) // unknown is taken for the image's only where the engine says so
		}
	}
	return nil
}

// read sorts everything counted to its containers.
func (r *recording) read() error {
	seen, err := r.t.Sightings()
	if err != nil {
		return err
	}
	r.pending = append(r.pending, seen...)
	r.match()
	checks, loss, err := r.t.Checks()
	if err != nil {
		return err
	}
	r.loss = loss
	for _, w := range r.byID {
		w.now = nil
	}
	for _, c := range checks {
		if w := r.byCgroup[c.Cgroup]; w != nil && (w.cgroup == c.Cgroup || w.cgroup == 0) {
			w.now = append(w.now, w.judged(c))
		}
	}
	for cgroup, n := range loss.Of {
		if w := r.byCgroup[cgroup]; w != nil {
			w.lost = max(w.lost, n)
		}
	}
	return nil
}

// judged tells where the program of a check comes from, and sets what came by docker exec apart.
func (w *watched) judged(c dropcap.KernelCheck) dropcap.KernelCheck {
	if c.Origin == dropcap.OriginExec {
		c.Phase = dropcap.PhaseExec
	}
	switch p := c.Exe.Path; {
	case c.Exe.Memory:
		c.Exe.From = evidence.FromMemory
	case p == "":
	case slices.ContainsFunc(w.d.Volumes, func(v string) bool { return p == v || strings.HasPrefix(p, path.Clean(v)+"/") }):
		c.Exe.From = evidence.FromVolume
	case w.written[p]:
		c.Exe.From = evidence.FromWritten
	default:
		c.Exe.From = evidence.FromImage
	}
	return c
}

func (r *recording) session() Session {
	s := Session{Elapsed: time.Since(r.began), Lost: r.loss.Checks}
	var all caps.Set
	for _, w := range r.byID {
		s.Containers++
		if w.live {
			s.Live++
		}
		for _, c := range append(slices.Clone(w.before), w.now...) {
			if c.Granted {
				all |= caps.Of(c.Cap)
			}
		}
	}
	s.Needs = all.Len()
	return s
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
