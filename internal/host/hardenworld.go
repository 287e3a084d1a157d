package host

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/docker"
	"dropcap/internal/harden"
	"dropcap/internal/policy"
	"dropcap/internal/printable"
	"dropcap/internal/snapshot"
	"dropcap/internal/store"
)

// hardening is this host as hardenings see it: what the engine lists, what the store has, and what
// was denied. One goroutine owns it; events come in from another.
type hardening struct {
	host    *Host // agrees to what a person would be asked
	session *Session
	engine  *describedEngine
	kept    *store.Store
	policy  dropcap.Policy
	here    string // the host's id
	denied  *deniedChecks
	trials  *hardenTrials

	facts   map[string]fact // by container
	by      map[string][]string
	listed  time.Time
	changes []dropcap.Change
	mark    string
	tried   []store.KeptTrial // since the last Refresh; nil: not read yet

	mu       sync.Mutex
	stale    bool            // the engine has told of something since it was listed
	again    map[string]bool // containers whose facts may have changed
	suspects map[string]bool // containers that may be unwell
	unwell   map[string]string
	crashed  map[string]int // with which status a container ended by itself last

	notLearning string // why nothing records what containers do; guarded by mu
}

// fact is what is known of one container.
type fact struct {
	name, workload, revision, state, created string
	owner                                    dropcap.Owner
	holds                                    caps.Set
	retained                                 bool
	rule                                     *dropcap.HardenRule // of the policy
}

// relist is after how long containers are listed even if no event told of anything.
const relist = 5 * time.Minute

func newHardening(h *Host, s *Session, kept *store.Store, p dropcap.Policy,
	here string) *hardening {
	agreed := h.config
	agreed.Observer = agreeing{h.observer}
	return &hardening{
		host: New(agreed), session: s, engine: &describedEngine{Session: s}, kept: kept, policy: p,
		here: here, denied: newDeniedChecks(), stale: true,
		facts: map[string]fact{}, by: map[string][]string{}, again: map[string]bool{},
		suspects: map[string]bool{}, unwell: map[string]string{},
		crashed: map[string]int{},
	}
}

// agreeing is an Observer that agrees: hardening was asked for.
type agreeing struct{ Observer }

func (agreeing) Ask(context.Context, string) error { return nil }

func (a agreeing) Progress(p Progress) {
	switch p.(type) {
	case Effect, Recovered, Note, LogLine, HardenRound:
		a.Observer.Progress(p)
	}
}

// follow notes what the engine tells until ctx ends, and wakes whoever waits.
func (w *hardening) follow(events <-chan docker.Event, wake chan<- struct{}) {
	for ev := range events {
		w.heard(ev)
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

func (w *hardening) heard(ev docker.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev.Action {
	case "create", "destroy", "start", "rename", "update":
		w.again[ev.ID] = true
	case "die":
		w.suspects[ev.ID] = true
		// A container that runs again shows no exit status any more.
		if status, err := strconv.Atoi(ev.Exit); err == nil && byItself(status) {
			w.crashed[ev.ID] = status
		}
	case "oom", "health_status":
		w.suspects[ev.ID] = true
	case docker.Reconnected:
		for id := range w.facts {
			w.again[id], w.suspects[id] = true, true
		}
	default:
		return
	}
	w.stale = true
}

// Refresh lists the containers if something has happened to one, and looks at those that are new or
// may have changed.
func (w *hardening) Refresh(ctx context.Context) error {
	w.tried = nil
	if err := w.trials.look(ctx); err != nil {
		return err
	}
	if err := w.readChanges(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	stale, again := w.stale, w.again
	w.mu.Unlock()
	if !stale && time.Since(w.listed) < relist {
		return nil
	}
	w.mu.Lock()
	w.stale, w.again = false, map[string]bool{}
	w.mu.Unlock()
	err := w.list(ctx, again)
	if err != nil {
		w.mu.Lock()
		w.stale = true
		maps.Copy(w.again, again)
		w.mu.Unlock()
		return err
	}
	w.listed = time.Now()
	return nil
}

// changed makes the next Refresh look at the containers again.
func (w *hardening) changed(ids ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stale = true
	for _, id := range ids {
		w.again[id], w.suspects[id] = true, true
		delete(w.crashed, id) // what was before says nothing about what is there now
	}
}

func (w *hardening) readChanges(ctx context.Context) error {
	_, mark, err := w.kept.Marks(ctx)
	if err != nil || mark == w.mark {
		return err
	}
	if w.changes, err = w.kept.Changes(ctx); err == nil {
		w.mark = mark
		w.changed()
	}
	return err
}

func (w *hardening) list(ctx context.Context, again map[string]bool) error {
	all, err := w.session.Overview(ctx, nil)
	if err != nil {
		return err
	}
	retained := map[string]bool{}
	for _, c := range w.changes {
		for _, id := range c.AllRetained() {
			retained[id] = true
		}
	}
	there := map[string]docker.Listed{}
	var unknown []string
	for _, l := range all {
		there[l.ID] = l
		if _, ok := w.facts[l.ID]; !ok || again[l.ID] {
			unknown = append(unknown, l.ID)
		}
	}
	maps.DeleteFunc(w.facts, func(id string, _ fact) bool { return there[id].ID == "" })
	if err := w.learnFacts(ctx, unknown); err != nil {
		return err
	}
	w.by = map[string][]string{}
	for id, f := range w.facts {
		f.state, f.name = there[id].State, there[id].Name
		f.retained = retained[id] && f.state != "running" && f.state != "paused"
		w.facts[id] = f
		if !f.retained && f.workload != "" {
			w.by[f.workload] = append(w.by[f.workload], id)
		}
	}
	w.mu.Lock()
	maps.DeleteFunc(w.unwell, func(id, _ string) bool { return there[id].ID == "" })
	maps.DeleteFunc(w.crashed, func(id string, _ int) bool { return there[id].ID == "" })
	maps.DeleteFunc(w.suspects, func(id string, _ bool) bool { return there[id].ID == "" })
	w.mu.Unlock()
	w.denied.only(there)
	return nil
}

// factsAtOnce is how many containers are described in one go.
const factsAtOnce = 64

// learnFacts describes containers.
func (w *hardening) learnFacts(ctx context.Context, ids []string) error {
	for chunk := range slices.Chunk(ids, factsAtOnce) {
		snap, err := snapshot.Take(ctx, w.engine, noProcesses{}, w.engine.here,
			snapshot.Query{Names: chunk, IfPresent: true, Parallel: 4})
		if err != nil {
			return err
		}
		for _, c := range snap.Containers {
			f := fact{name: c.Name, workload: c.Workload, revision: c.Revision, created: c.Created,
				owner: c.Owner}
			if c.Predicted == nil {
				f.workload = "" // what it holds is not known: nothing is done about it
			} else {
				f.holds = *c.Predicted
			}
			f.rule = ruleFor(w.policy, c)
			w.facts[c.ID] = f
			w.mu.Lock()
			w.suspects[c.ID] = true
			w.mu.Unlock()
		}
	}
	return nil
}

func ruleFor(p dropcap.Policy, c dropcap.Container) *dropcap.HardenRule {
	for i := range p.Harden {
		if policy.Select(p.Harden[i].Containers, c) {
			return &p.Harden[i]
		}
	}
	return nil
}

// Look returns what is known of a workload.
func (w *hardening) Look(ctx context.Context, h dropcap.Hardening) (harden.View, error) {
	v := harden.View{CannotTry: w.trials.cannot(), NotLearning: w.whyNotLearning()}
	var newest fact
	ids := w.by[h.Workload]
	for _, id := range ids {
		f := w.facts[id]
		v.Containers = append(v.Containers, f.name)
		v.Holds |= f.holds
		if f.state == "running" || f.state == "restarting" || f.state == "paused" {
			v.Running++
		}
		if f.created >= newest.created {
			newest = f
		}
	}
	slices.Sort(v.Containers)
	v.Revision = newest.revision
	v.Change = w.changeOf(h.Workload)
	switch h.State {
	case dropcap.HardenWatching:
		return v, w.lookAfter(ctx, h, ids, &v)
	case dropcap.HardenDone, dropcap.HardenGone:
		return v, nil
	}
	seen, err := evidenceOf(ctx, w.kept, h.Workload, v.Revision, w.here)
	if err != nil {
		return v, err
	}
	v.Learned, v.Tried = seen.learned, seen.tried
	if w.tried == nil {
		if w.tried, err = trialsOf(ctx, w.kept); err != nil {
			return v, err
		}
	}
	v.Trial = newestTrial(w.tried, h.Workload, v.Revision)
	v.Ours = w.trials.running(h.Workload)
	return v, nil
}

// changeOf is the last change that the workload had a part in.
func (w *hardening) changeOf(workload string) *dropcap.Change {
	for i := range w.changes {
		for _, o := range w.changes[i].Containers() {
			if o.Workload == workload {
				return &w.changes[i]
			}
		}
	}
	return nil
}

// lookAfter adds what has gone wrong since a change.
func (w *hardening) lookAfter(ctx context.Context, h dropcap.Hardening, ids []string,
	v *harden.View) error {
	for _, id := range ids {
		changed := ""
		if v.Change != nil {
			changed = v.Change.Started
		}
		why, missed, err := w.denied.of(ctx, w.kept, id, h, changed)
		if err != nil {
			return err
		}
		if why != "" {
			v.Denied, v.Missed = why, v.Missed|missed
		}
		ill, err := w.health(ctx, id)
		if err != nil {
			return err
		}
		if ill != "" {
			v.Unwell = printable.Line(w.facts[id].name) + " " + ill
		}
	}
	return nil
}

func (w *hardening) whyNotLearning() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.notLearning
}

// byPolicy enters the workloads that the policy asks for and that nobody has asked for yet.
func (w *hardening) byPolicy(ctx context.Context, have []dropcap.Hardening) error {
	known := map[string]*dropcap.Hardening{}
	for i := range have {
		known[have[i].Workload] = &have[i]
	}
	for _, f := range w.facts {
		h := known[f.workload]
		switch {
		case f.rule == nil || f.retained || f.workload == "" || f.state != "running":
			continue
		case h == nil:
			one := harden.Begin(now(), nil, f.workload, w.here, f.rule.Settings)
			one.Policy = true
			if _, err := w.kept.KeepHardening(ctx, nil, one); err != nil {
				return fmt.Errorf("harden %s, as the policy asks: %w", printable.Line(f.workload),
					err)
			}
			known[f.workload] = &one
		case h.Policy && h.Settings != f.rule.Settings:
			one := *h
			one.Settings = f.rule.Settings
			if _, err := w.kept.KeepHardening(ctx, h, one); err != nil {
				return err
			}
			*h = one
		}
	}
	return nil
}

// names are the names of the workload's containers.
func (w *hardening) names(workload string) (names []string) {
	for _, id := range w.by[workload] {
		names = append(names, w.facts[id].name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
