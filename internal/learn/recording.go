package learn

import (
	"context"
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
	born     map[string]bool    // containers that were made and never started
	created  map[string]created // what is known of them
	last     time.Time          // of the latest event, by the engine's clock
	sights
	looker    *looker
	looks     int            // that are under way
	lookingAt map[string]int // of them, by container
	scanner   *scanner
	scans     map[string]scanWish // by container
	// by container, whose files an earlier recording has not looked at
	later map[string]dropcap.WorkloadEvidence
	trees map[string]*tree // by image
	loss  Loss
	// of forgotten containers, by workload and revision, until it is kept
	done     map[[2]string]dropcap.WorkloadEvidence
	total    int                 // containers so far
	used     caps.Set            // granted to anyone so far
	keeping  bool                // the last keeping succeeded
	needSaid map[string]caps.Set // by workload, what was said to be needed
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
// be asked later.
type created struct {
	c dropcap.Container
	d Details
}

// mostCreated and mostBorn bound those; more are known by their start only.
const (
	mostCreated = 4096
	mostBorn    = 1 << 16
)

// watched is one container under record. Each of its starts has a cgroup of its own.
type watched struct {
	id, name string
	c        dropcap.Container
	d        Details
	known    bool // c and d are
	run      int  // how many of its runs were seen
	// it ran already when the engine was asked then, by the wall's clock; else zero
	listed time.Time
	// when the present run was started, by the engine's clock; zero if its start was not seen
	told      time.Time
	undecided bool     // nobody knows yet whether it has run before
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
	phaseTold string // the name of the phase that the kernel has
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

// present takes up the containers that run already; their start was not seen. After the connection
// to the engine was lost it also finds those that have ended, or ended and started, without a word.
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
	now := time.Now().Round(0) // the wall's
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

// found takes up a container that is said to run.
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

// on follows one event. It asks nobody, so that no event waits for another's answers.
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

// follows tells whether something happened after a container was found running: the engine also
// tells what was shortly before. Later than that the wall's clock may have been set back.
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
	// The engine also tells what was shortly before: such a start was not watched. Later the wall's
	// clock may have been set back.
	if !ev.Time.After(r.began) && time.Since(r.began) <= startPhase {
		delete(r.born, ev.ID)
		return // if it still ran it was found
	}
	w := r.byID[ev.ID]
	if w != nil && w.live && !ev.follows(w.listed) {
		// the same run, which was found running before its start was told of
		r.countStart(w)
		w.told, w.listed = ev.Time, time.Time{}
		return
	}
	if w != nil && w.live { // its end was not told of
		r.ended(w, ev.At, time.Time{})
	}
	if w != nil && w.ending { // or not yet dealt with
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

// begin takes note of a run of a container: one whose start was told of, or which was found
// running.
func (r *recording) begin(w *watched, start *Event) {
	w.run++
	now := time.Now()
	w.live, w.started, w.turned, w.phased, w.changed, w.execs, w.phaseTold = true, now, now,
		start == nil, true, nil, ""
	w.phase, w.told, w.cold = dropcap.PhaseRun, time.Time{}, false
	if start != nil {
		r.countStart(w)
		w.phase, w.started, w.told, w.listed = dropcap.PhaseStart, start.At, start.Time, time.Time{}
	}
	if w.known {
		r.wantFiles(w.c, w.d)
	}
	r.match()
	r.ask(w, starting)
}

// countStart tells a first start from another by what was told before it: one that was made while
// the recording ran, or that had not been started when it began, has never run. Else its first look
// tells.
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

// ended takes note of the end of a run. Its last checks are read at the next tick, together with
// those of others that end now. told is by the engine's clock, zero if the engine did not say.
func (r *recording) ended(w *watched, at, told time.Time) {
	if !w.live {
		return
	}
	w.live, w.ending, r.ending, w.changed = false, true, true, true
	w.source.Stops++
	w.source.Seconds += int64(lived(at.Sub(w.started), told.Sub(w.told), w.told.IsZero() ||
		told.IsZero()) / time.Second)
}

// lived is how long a run was watched. By the time between its events here, or by the engine's,
// which is the better one on a busy machine, where one event may have waited longer than another;
// but not by one that was set meanwhile.
func lived(here, engines time.Duration, unknown bool) time.Duration {
	const late = 30 * time.Second
	if !unknown && engines > here && engines < here+late {
		return engines
	}
	return max(here, 0)
}

// session is what can be told so far.
func (r *recording) session() Session {
	s := Session{Elapsed: time.Since(r.began), Containers: r.total, Lost: r.loss.Checks,
		Needs: r.used.Len()}
	for _, w := range r.byID {
		if w.live || w.ending {
			s.Live++
		}
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
