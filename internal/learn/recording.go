package learn

import (
	"context"
	"time"

	"dropcap"
	"dropcap/caps"
)

// startPhase is how long after its start a container's checks count as part of starting.
const startPhase = 10 * time.Second

// recording is one run of learn. One goroutine owns it.
type recording struct {
	t       Tracer
	e       Engine
	k       Keeper
	q       Query
	began   time.Time
	flushed time.Time
	fully   time.Time // when all evidence was last stored, and not only the changed
	looked  time.Time // when the counters were last read
	ending  bool      // the last checks of some container are still to be read

	byID     map[string]*watched
	byCgroup map[uint64]*watched
	born     map[string]bool    // containers created and never started
	created  map[string]created // what is known of them
	last     time.Time          // of the latest event, by the engine's clock
	sights
	looker    *looker
	looks     int            // under way
	lookingAt map[string]int // those under way, by container
	scanner   *scanner
	scans     map[string]scanWish // by container
	// by container, whose files no earlier recording has scanned
	later map[string]dropcap.WorkloadEvidence
	trees map[string]*tree // by image
	loss  Loss
	// of forgotten containers, by workload and revision, until it is stored
	done     map[[2]string]dropcap.WorkloadEvidence
	total    int                 // containers so far
	used     caps.Set            // granted to anyone so far
	keeping  bool                // the last attempt to store succeeded
	needSaid map[string]caps.Set // by workload, the needs reported so far
}

func newRecording(t Tracer, e Engine, k Keeper, q Query) *recording {
	now := time.Now()
	return &recording{
		t: t, e: e, k: k, q: q, began: now, last: now.Round(0), flushed: now, fully: now,
		keeping: true, byID: map[string]*watched{}, byCgroup: map[uint64]*watched{},
		born: map[string]bool{}, lookingAt: map[string]int{}, created: map[string]created{},
		sights: newSights(), scans: map[string]scanWish{},
		later: map[string]dropcap.WorkloadEvidence{}, trees: map[string]*tree{},
		done: map[[2]string]dropcap.WorkloadEvidence{}, needSaid: map[string]caps.Set{},
	}
}

// created is what is known of a container before it starts: one that lives for milliseconds cannot
// be asked about later.
type created struct {
	c dropcap.Container
	d Details
}

// The limits of those; any more are known only by their start.
const (
	mostCreated = 4096
	mostBorn    = 1 << 16
)

// watched is one container being recorded. Each of its starts has a cgroup of its own.
type watched struct {
	id, name string
	c        dropcap.Container
	d        Details
	known    bool // c and d are known
	run      int  // how many of its runs were observed
	// when the engine was asked and it already ran, by the wall clock; else zero
	listed time.Time
	// when the present run was started, by the engine's clock; zero if its start was not observed
	engineStarted time.Time
	undecided     bool     // whether it has run before is still unknown
	held          caps.Set // at the start, and at every look
	heldBack      caps.Set // denied by a hold at some time
	cold          bool     // the present run is its first
	executed      []dropcap.Executable
	own           ownFiles
	blindSaid     bool
	cgroup        uint64 // the present one; 0 if it does not run or is unknown
	live          bool
	ending        bool      // it has ended, and its last checks are still to be read
	begun         time.Time // when watching it began
	started       time.Time // when the present run began, or watching it; by the monotonic clock
	turned        time.Time // when the present phase began
	phase         string
	phaseTold     string // the phase's name in the kernel
	phased        bool   // the phase of starting or reloading is over
	missed        bool   // one of its runs was in no cgroup known to the kernel's counters
	execs         map[string]sighted
	source        dropcap.Source
	past          *dropcap.WorkloadEvidence // of its ended runs
	now           []dropcap.KernelCheck
	sum           uint64 // over the present counts, to detect changes
	changed       bool   // since it was stored
	lost          uint64
}

// present adds the containers that already run; their start was not observed. After a lost
// connection to the engine it also finds those that have ended, or ended and started, without an
// event.
func (r *recording) present(ctx context.Context) error {
	unstarted, err := r.e.Unstarted(ctx)
	if err != nil {
		return err
	}
	for _, ref := range unstarted {
		if r.wanted(ref.ID) && len(r.born) < mostBorn {
			r.born[ref.ID] = true
		}
	}
	refs, err := r.e.Running(ctx)
	if err != nil {
		return err
	}
	now := time.Now().Round(0) // the wall clock
	running := map[string]bool{}
	for _, ref := range refs {
		running[ref.ID] = true
		if r.wanted(ref.ID) {
			r.found(ref, now)
		}
	}
	for id, w := range r.byID {
		if w.live && !running[id] {
			r.ended(w, time.Now(), time.Time{})
		}
	}
	return nil
}

// found adds a container that is said to run.
func (r *recording) found(ref dropcap.Ref, now time.Time) {
	w := r.byID[ref.ID]
	if w != nil && w.live {
		r.ask(w, checking)
		return
	}
	if w != nil && w.ending {
		r.settle()
	}
	if w == nil {
		w = r.enter(ref.ID, ref.Name, false)
	}
	w.listed = now
	r.begin(w, nil)
}

func (r *recording) wanted(id string) bool { return r.q.Only == nil || r.q.Only[id] }

// on handles one event. It makes no requests, so that no event waits for the answers of another.
func (r *recording) on(ctx context.Context, ev Event) {
	if ev.At.IsZero() {
		ev.At = time.Now()
	}
	if ev.Action == "reconnected" {
		r.q.Say("connected to the engine again")
		if err := r.present(ctx); err != nil {
			r.q.Warn(err)
		}
		return
	}
	if ev.Time.After(r.last) {
		r.last = ev.Time
	}
	if !r.wanted(ev.ID) {
		return
	}
	switch ev.Action {
	case "create":
		r.meet(ev)
	case "start":
		r.started(ev)
	case "kill":
		r.signalled(ev)
	case "die":
		if w := r.byID[ev.ID]; w != nil && ev.follows(w.listed) {
			r.ended(w, ev.At, ev.Time)
		}
	case "exec_create", "exec_start", "exec_die":
		r.exec(ev)
	case "destroy":
		delete(r.created, ev.ID)
		delete(r.born, ev.ID)
	}
}

// follows reports whether the event happened after a container was found running: the engine also
// sends what happened shortly before. Later than that, the wall clock may have been set back.
func (ev Event) follows(listed time.Time) bool {
	return listed.IsZero() || ev.Time.After(listed) || time.Since(listed) > startPhase ||
		time.Since(listed) < 0
}

func (r *recording) meet(ev Event) {
	if len(r.born) < mostBorn {
		r.born[ev.ID] = true
	}
	r.lookAt(look{id: ev.ID, why: meeting})
}

// started begins to record a run of a container.
func (r *recording) started(ev Event) {
	// The engine also sends what happened shortly before: such a start was not watched. Later, the
	// wall clock may have been set back.
	if !ev.Time.After(r.began) && time.Since(r.began) <= startPhase {
		delete(r.born, ev.ID)
		return // if it still ran, it was found
	}
	w := r.byID[ev.ID]
	if w != nil && w.live && !ev.follows(w.listed) {
		// the same run, found before its start was reported
		r.countStart(w)
		w.engineStarted, w.listed = ev.Time, time.Time{}
		return
	}
	if w != nil && w.live { // its end was not reported
		r.ended(w, ev.At, time.Time{})
	}
	if w != nil && w.ending { // or not handled yet
		r.settle()
		w = r.byID[ev.ID]
	}
	if w == nil {
		w = r.enter(ev.ID, ev.Name, true)
	}
	r.begin(w, &ev)
}

// enter begins the record of a container.
func (r *recording) enter(id, name string, started bool) *watched {
	now := time.Now()
	w := &watched{id: id, name: name, begun: now, source: dropcap.Source{
		Container: id, Since: stamp(now), Complete: r.q.Complete && (r.q.Only != nil || started),
		Execs: r.q.Execs,
	}}
	w.source.Host.ID = r.q.Host
	if early, ok := r.created[id]; ok {
		w.c, w.d, w.known = early.c, early.d, true
		w.holds(w.c)
		delete(r.created, id)
	}
	r.byID[id] = w
	r.total++
	return w
}

// begin records a run of a container: its start was reported, or it was found running.
func (r *recording) begin(w *watched, start *Event) {
	w.run++
	now := time.Now()
	w.live, w.started, w.turned, w.phased, w.changed, w.execs, w.phaseTold = true, now, now,
		start == nil, true, nil, ""
	w.phase, w.engineStarted, w.cold = dropcap.PhaseRun, time.Time{}, false
	if start != nil {
		r.countStart(w)
		w.phase, w.started, w.engineStarted, w.listed = dropcap.PhaseStart, start.At, start.Time,
			time.Time{}
	}
	if w.known {
		r.wantFiles(w.c, w.d)
	}
	r.match()
	r.ask(w, starting)
}

// countStart decides whether a start is the first, by what was known before it: a container that
// was created during the recording, or was not yet started when it began, has never run. Otherwise
// its first look decides.
func (r *recording) countStart(w *watched) {
	switch {
	case r.born[w.id]:
		w.cold = true
		w.source.StartsCold++
	case w.run > 1:
		w.source.StartsWarm++
	default:
		w.undecided = true
	}
	w.source.Complete = w.source.Complete || r.q.Complete
	delete(r.born, w.id)
}

func (r *recording) signalled(ev Event) {
	w := r.byID[ev.ID]
	if w == nil || !w.live {
		return
	}
	w.turned = ev.At
	switch ev.Signal {
	case "1", "10", "12": // HUP, USR1, USR2: what servers take for a reload
		w.phased = false
		r.setPhase(w, dropcap.PhaseReload)
	default:
		w.phased = true
		r.setPhase(w, dropcap.PhaseStop)
	}
}

// ended records the end of a run. Its last checks are read at the next tick, together with those of
// others that end now. told is by the engine's clock, zero if unknown.
func (r *recording) ended(w *watched, at, told time.Time) {
	if !w.live {
		return
	}
	w.live, w.ending, r.ending, w.changed = false, true, true, true
	w.source.Stops++
	w.source.Seconds += int64(lived(at.Sub(w.started), told.Sub(w.engineStarted),
		w.engineStarted.IsZero() ||
			told.IsZero()) / time.Second)
}

// lived returns how long a run was watched. It prefers the time between the engine's events to the
// time between their arrivals here, because on a busy machine one event may wait longer than
// another; but not if the clock was set meanwhile.
func lived(here, engines time.Duration, unknown bool) time.Duration {
	const late = 30 * time.Second
	if !unknown && engines > here && engines < here+late {
		return engines
	}
	return max(here, 0)
}

// session returns the state so far.
func (r *recording) session() Session {
	s := Session{Elapsed: time.Since(r.began), Containers: r.total, Lost: r.loss.Checks,
		LossUnknown: r.loss.Unknown, Needs: r.used.Len()}
	for _, w := range r.byID {
		if w.live || w.ending {
			s.Live++
		}
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
