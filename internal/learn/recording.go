package learn

import (
	"context"
	"errors"
	"time"

	"dropcap"
	"dropcap/caps"
)

// startPhase is how long after its start a container's checks count as those of starting.
const startPhase = 10 * time.Second

// recording is one run of learn. One goroutine owns it.
type recording struct {
	t       Tracer
	e       Engine
	k       Keeper
	q       Query
	began   time.Time
	flushed time.Time
	fully   time.Time // when evidence of all was kept last, and not of the changed only
	looked  time.Time // when the counters were read last
	ending  bool      // some container's last checks are to be read

	byID     map[string]*watched
	byCgroup map[uint64]*watched
	created  map[string]created // containers that were created and have not started
	sights
	scanner  *scanner
	scans    map[string]scanWish // by container
	trees    map[string]*tree
	loss     Loss
	done     map[[2]string]dropcap.WorkloadEvidence // of forgotten containers, by workload and revision, until it is kept
	total    int                                    // containers so far
	used     caps.Set                               // granted to anyone so far
	keeping  bool                                   // the last keeping succeeded
	needSaid map[string]caps.Set                    // by workload, what was said to be needed
}

func newRecording(t Tracer, e Engine, k Keeper, q Query) *recording {
	now := time.Now()
	return &recording{
		t: t, e: e, k: k, q: q, began: now, flushed: now, fully: now, keeping: true, byID: map[string]*watched{}, byCgroup: map[uint64]*watched{},
		created: map[string]created{}, sights: newSights(), scans: map[string]scanWish{}, trees: map[string]*tree{},
		done: map[[2]string]dropcap.WorkloadEvidence{}, needSaid: map[string]caps.Set{},
	}
}

// created is what is known of a container before it starts: one that lives for milliseconds cannot be asked later.
type created struct {
	c dropcap.Container
	d Details
}

// mostCreated bounds those; more are known by their start only.
const mostCreated = 4096

// watched is one container under record. Each of its starts has a cgroup of its own.
type watched struct {
	c         dropcap.Container
	d         Details
	held      caps.Set // when it started, and whenever it was seen
	cold      bool     // the present run is its first
	executed  []dropcap.Executable
	own       ownFiles
	blindSaid bool
	cgroup    uint64 // the present one; 0 if it does not run or is not known
	live      bool
	ending    bool      // it has ended, and its last checks are to be read
	begun     time.Time // when watching it began
	started   time.Time // of the present run, or when watching it began; by the monotonic clock
	turned    time.Time // when the present phase began
	phase     string
	told      string // the name of the phase that the kernel has
	phased    bool   // the phase of starting or reloading is over
	missed    bool   // a run of it was in no cgroup that the kernel's counters know
	execs     map[string]sighted
	source    dropcap.Source
	past      *dropcap.WorkloadEvidence // of its runs that are over
	now       []dropcap.KernelCheck
	sum       uint64 // over the counts of now, to tell whether there is anything new
	changed   bool   // since it was kept
	lost      uint64
}

// present takes up the containers that run already; their start was not seen. After the connection to the engine was lost it also finds
// those that have ended, or ended and started, without a word.
func (r *recording) present(ctx context.Context) error {
	refs, err := r.e.Running(ctx)
	if err != nil {
		return err
	}
	running := map[string]bool{}
	for _, ref := range refs {
		running[ref.ID] = true
		if r.wanted(ref.ID) {
			r.take(ctx, ref.ID, false)
		}
	}
	for id, w := range r.byID {
		if w.live && !running[id] {
			r.ended(w)
		}
	}
	return nil
}

func (r *recording) wanted(id string) bool { return r.q.Only == nil || r.q.Only[id] }

// on follows one event.
func (r *recording) on(ctx context.Context, ev Event) {
	if ev.Action == "reconnected" {
		r.q.Say("connected to the engine again")
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
		// The engine also tells what was shortly before: such a start was not watched. Later the wall's clock may have been set back.
		r.take(ctx, ev.ID, ev.Time.After(r.began) || time.Since(r.began) > startPhase)
	case "kill":
		r.signalled(ev)
	case "die":
		if w := r.byID[ev.ID]; w != nil {
			r.ended(w)
		}
	case "exec_create", "exec_start", "exec_die":
		r.exec(ev)
	case "destroy":
		delete(r.created, ev.ID)
	}
}

func (r *recording) meet(ctx context.Context, id string) {
	c, err := r.see(ctx, id)
	if err != nil || len(r.created) >= mostCreated {
		return
	}
	if d, err := r.e.Details(ctx, id); err == nil {
		r.created[id] = created{c, d}
		r.wantFiles(c, d)
	}
}

// see keeps only what is needed later.
func (r *recording) see(ctx context.Context, id string) (dropcap.Container, error) {
	c, err := r.e.See(ctx, id)
	if own, ok := ownSet(c.Kernel.Processes); ok && c.Kernel.Holds() != nil {
		c.Kernel = dropcap.Kernel{Visible: c.Kernel.Visible, WhyNot: c.Kernel.WhyNot, Held: &own}
	}
	c.LabelValues, c.Labels, c.Entrypoint, c.Command, c.Execs, c.Kernel.Processes = nil, nil, nil, nil, nil, nil
	return c, err
}

// ownSet is what the workload itself holds. What docker exec or a healthcheck brought in does not count: until its exec the runtime's
// process holds all that the engine does, and a privileged one goes on to.
func ownSet(list []dropcap.Process) (own caps.Set, ok bool) {
	for _, p := range list {
		if p.Origin != dropcap.OriginInit && p.Origin != dropcap.OriginChild || p.UserNS == dropcap.UserNSNested {
			continue
		}
		set, err := p.Holds()
		if err != nil {
			return 0, false
		}
		own, ok = own|set, true
	}
	return own, ok
}

// take begins or goes on to record a container.
func (r *recording) take(ctx context.Context, id string, started bool) {
	w := r.byID[id]
	if w != nil && w.live && !started && r.same(ctx, w) {
		return
	}
	if w != nil && (w.live || w.ending) { // its end was not told of, or not yet dealt with
		r.ended(w)
		r.settle(ctx)
		w = r.byID[id]
	}
	early, known := r.created[id]
	delete(r.created, id)
	c, err := r.see(ctx, id)
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
	if w == nil && !started && r.over(c) {
		return // it ended before the recording began, or as it did: the engine also tells what was shortly before
	}
	if w == nil {
		w = r.enter(id, started)
	}
	if k := c.Kernel.Holds(); started && k != nil && c.Predicted != nil && !k.Minus(*c.Predicted).Empty() {
		c.Kernel.Visible = false // the runtime's own process may be in it still; it is looked at again when the start is over
	}
	w.c = c
	w.holds(c)
	if d, err := r.e.Details(ctx, id); err == nil {
		w.d = d
	} else if known {
		w.d = early.d
	}
	if known {
		w.d.Ran = false
	}
	r.begin(w, started)
}

// over tells whether a run of a container has ended by now.
func (r *recording) over(c dropcap.Container) bool {
	if !c.Running() {
		return true
	}
	_, err := r.e.Cgroup(c)
	return errors.Is(err, dropcap.ErrGone)
}

// enter begins the record of a container.
func (r *recording) enter(id string, started bool) *watched {
	now := time.Now()
	w := &watched{begun: now, source: dropcap.Source{
		Container: id, Since: stamp(now), Complete: r.q.Complete && (r.q.Only != nil || started), Execs: r.q.Execs,
	}}
	w.source.Host.ID = r.q.Host
	r.byID[id] = w
	r.total++
	return w
}

// begin takes note of a run of a container.
func (r *recording) begin(w *watched, started bool) {
	w.cold = started && !w.d.Ran && w.source.StartsCold+w.source.StartsWarm == 0
	if w.cold {
		w.source.StartsCold++
	} else if started {
		w.source.StartsWarm++
	}
	now := time.Now()
	w.live, w.started, w.turned, w.phased, w.changed, w.execs, w.told = true, now, now, !started, true, nil, ""
	if w.phase = dropcap.PhaseStart; !started {
		w.phase = dropcap.PhaseRun
	}
	r.wantFiles(w.c, w.d)
	r.bind(w)
}

// same tells whether a container that is said to run is in the run that is being recorded.
func (r *recording) same(ctx context.Context, w *watched) bool {
	c, err := r.see(ctx, w.c.ID)
	if err != nil {
		return true
	}
	cgroup, err := r.e.Cgroup(c)
	return err != nil || cgroup == w.cgroup || w.cgroup == 0
}

// settled looks at a container again whose start is over.
func (r *recording) settled(ctx context.Context, w *watched) {
	if c, err := r.see(ctx, w.c.ID); err == nil && c.Running() {
		if cgroup, err := r.e.Cgroup(c); err == nil && cgroup == w.cgroup {
			w.c, w.changed = c, true
			w.holds(c)
		}
	}
}

func (r *recording) signalled(ev Event) {
	w := r.byID[ev.ID]
	if w == nil || !w.live {
		return
	}
	w.turned = time.Now()
	switch ev.Signal {
	case "1", "10", "12": // HUP, USR1, USR2: what servers take for a reload
		w.phased = false
		r.setPhase(w, dropcap.PhaseReload)
	default:
		w.phased = true
		r.setPhase(w, dropcap.PhaseStop)
	}
}

// ended takes note of the end of a run. Its last checks are read at the next tick, together with those of others that end now.
func (r *recording) ended(w *watched) {
	if !w.live {
		return
	}
	w.live, w.ending, r.ending, w.changed = false, true, true, true
	w.source.Stops++
	w.source.Seconds += int64(time.Since(w.started) / time.Second)
}

// session is what can be told so far.
func (r *recording) session() Session {
	s := Session{Elapsed: time.Since(r.began), Containers: r.total, Lost: r.loss.Checks, Needs: r.used.Len()}
	for _, w := range r.byID {
		if w.live || w.ending {
			s.Live++
		}
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
