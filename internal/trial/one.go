package trial

import (
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/verdict"
)

// running is one trial. The Runner's loop owns it.
type running struct {
	doc   dropcap.Trial
	c     Container // as it was seen last
	q     Request
	known Known

	began      time.Time
	live       bool      // it runs
	under      bool      // it was started under the trial
	turned     time.Time // when the present run began, or the trial
	since      time.Time // until when the time is counted already
	paused     bool
	spent      time.Duration // of running before since
	signalled  time.Time     // when an operator last sent a signal that ends it
	down       time.Time     // since when it does not run though nobody stopped it
	lookAgain  bool          // look at it at the next tick
	run        int           // how many ends and starts there were
	startsCold int
	lossBefore uint64

	cgroups map[uint64]bool // the present run's, and those of ended runs until they are folded
	checks  []dropcap.KernelCheck
	judged  map[string]judgement
	past    *dropcap.WorkloadEvidence // of ended runs
	now     *dropcap.WorkloadEvidence // with the present one
	lostOf  map[uint64]uint64         // the most that was lost, by cgroup
	execs   map[string]time.Time      // an administrator's, by id

	nextProbe time.Time
	probing   bool
	over      chan struct{}
	last      dropcap.Trial // once it is over
}

func (r *Runner) newTrial(c Container, q Request, known Known) *running {
	set := q.Drop & c.Holds
	if q.Probe.any() && q.Probe.Every <= 0 {
		q.Probe.Every = ProbeEvery
	}
	now := r.o.Clock.Now()
	t := &running{
		c: c, q: q, known: known, live: c.Running, paused: c.Paused,
		cgroups: map[uint64]bool{}, judged: map[string]judgement{}, lostOf: map[uint64]uint64{},
		execs: map[string]time.Time{}, over: make(chan struct{}),
		doc: dropcap.Trial{
			ID: newID(), Kind: dropcap.KindTrial, Host: r.o.Host, Workload: c.Workload,
			Revision: c.Revision, Name: c.Name, Container: c.ID, Hook: r.k.Hook(), Asked: set,
			Denied: set, Lifted: []dropcap.Lift{}, State: dropcap.TrialRunning,
			Since: stamp(now), Until: stamp(now.Add(q.For)), Denials: []dropcap.Need{},
			Unshown: verdict.Unshown(set, c.Holds),
		},
	}
	if c.Cgroup != 0 {
		t.cgroups[c.Cgroup] = true
	}
	return t
}

// running time under the trial, while something is denied.
func (t *running) seconds(now time.Time) int64 {
	d := t.spent
	if t.live && !t.paused && !t.since.IsZero() && !t.doc.Denied.Empty() {
		d += now.Sub(t.since)
	}
	return int64(d / time.Second)
}

// rest counts the time so far; the next begins with since.
func (t *running) rest(now time.Time) {
	if t.live && !t.paused && !t.since.IsZero() && !t.doc.Denied.Empty() {
		t.spent += now.Sub(t.since)
	}
	t.since = now
}

// document returns the trial as it stands.
func (t *running) document(now time.Time) dropcap.Trial {
	d := t.doc
	d.Seconds = t.seconds(now)
	d.Lost = t.lost()
	if t.now != nil {
		d.Denials = t.now.Needs
	}
	return d
}

func (t *running) lost() (n uint64) {
	for _, x := range t.lostOf {
		n += x
	}
	return n
}

// evidence returns what the trial has shown, with what was tried if that counts.
func (t *running) evidence(now time.Time) dropcap.WorkloadEvidence {
	src := dropcap.Source{
		Container: t.doc.Container, Since: t.doc.Since, Until: stamp(now), Trial: t.doc.ID,
		Seconds: t.seconds(now), StartsCold: t.startsCold, StartsWarm: t.doc.Starts - t.startsCold,
		Stops: t.doc.Stops, Lost: t.lost(), Execs: t.q.Execs, FilesUnseen: evidence.FilesLater,
		CallsUnseen: "a trial sees what was denied, and nothing else",
	}
	src.Host.ID = t.doc.Host
	id := evidence.Identity{Workload: t.doc.Workload, Revision: t.doc.Revision,
		ImageID: t.c.ImageID}
	w := evidence.BuildTrial(t.denialsNow(), t.doc.Asked, src, id, t.tried(now)...)
	if t.past != nil {
		w = evidence.Extend(*t.past, w)
	}
	return w
}

// tried returns what was denied all the time and did no harm.
func (t *running) tried(now time.Time) []dropcap.Tried {
	if t.doc.Denied.Empty() || t.seconds(now) == 0 {
		return nil
	}
	x := dropcap.Tried{
		Caps: t.doc.Denied, Container: t.doc.Container, Trial: t.doc.ID, Since: t.doc.Since,
		Until: stamp(now), Seconds: t.seconds(now), Starts: t.doc.Starts, Lost: t.lost(),
		Complete: t.q.Complete,
	}
	x.Host.ID = t.doc.Host
	var needs []dropcap.Need
	if t.now != nil {
		needs = t.now.Needs
	}
	for _, n := range needs {
		if n.Trial && t.doc.Denied.Has(n.Cap) {
			x.Denied += n.Count
			x.Exercised |= caps.Of(n.Cap)
		}
	}
	return []dropcap.Tried{x}
}

// denialsNow are the judged checks of the present run.
func (t *running) denialsNow() []evidence.Denial {
	list := make([]evidence.Denial, 0, len(t.checks))
	for _, c := range t.checks {
		j := t.judged[keyOf(c)]
		c.Phase = j.phase
		list = append(list, evidence.Denial{Check: c, Verdict: j.verdict, Harmless: !j.harm})
	}
	return list
}

// fold ends the present run's checks: they become part of the past, and the kernel may forget them.
func (t *running) fold(now time.Time) []uint64 {
	if len(t.checks) > 0 {
		past := t.evidence(now)
		t.past = &past
		t.checks = nil
	}
	gone := make([]uint64, 0, len(t.cgroups))
	for cgroup := range t.cgroups {
		gone = append(gone, cgroup)
	}
	clear(t.cgroups)
	clear(t.judged)
	return gone
}
