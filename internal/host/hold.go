package host

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/deny"
	"dropcap/internal/hold"
	"dropcap/internal/plan"
	"dropcap/internal/printable"
	"dropcap/internal/snapshot"
	"dropcap/internal/store"
	"dropcap/internal/verdict"
)

// HoldRequest says what to keep from the containers of which workloads, until when.
type HoldRequest struct {
	Names  []string       // containers, by name, id or beginning of an id; or workloads
	Drop   caps.Set       // empty: what a plan by Policy would drop
	Policy dropcap.Policy // says the level
	Until  time.Time      // zero: until somebody releases it
	Hook   string         // forces a kernel hook; empty: the best that works
}

// holdsPinned is where bpffs has what is held, by the store of /var/lib/dropcap.
const holdsPinned = "/sys/fs/bpf/dropcap"

// pin returns where this store's holds are pinned: another store's are others.
func (h *Host) pin() string {
	folder, err := filepath.Abs(h.config.Store)
	if err != nil || folder == store.DefaultFolder {
		return holdsPinned
	}
	sum := sha256.Sum256([]byte(folder))
	return holdsPinned + "-" + hex.EncodeToString(sum[:6])
}

// holding is what acts on holds: the kernel and the store.
type holding struct {
	*hold.Runner
	denier *deny.Denier
	store  *store.Store
}

func (h *Host) openHolding(hook string) (*holding, error) {
	d, err := deny.Open(deny.Options{Hook: hook, Pin: h.pin()})
	if err != nil {
		return nil, err
	}
	s, err := store.Open(h.config.Store)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &holding{store: s, denier: d, Runner: &hold.Runner{Kernel: d, Keeper: holdKeeper{s},
		Now: now, Warn: h.observer.Warn, Say: func(format string, args ...any) {
			h.observer.Progress(Note{"dropcap: " + printable.Line(fmt.Sprintf(format, args...))})
		}}}, nil
}

func (o *holding) close() {
	if o.denier != nil {
		_ = o.denier.Close()
	}
	_ = o.store.Close()
}

// unpin removes what is pinned where nothing is held any more, and no service has it open.
func (o *holding) unpin(ctx context.Context, pin string) error {
	left, err := holdKeeper{o.store}.Running(ctx)
	if err != nil || len(left) > 0 {
		return err
	}
	unlock, err := o.store.Lock(holdLock)
	if errors.Is(err, store.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	err = o.denier.Close()
	o.denier = nil
	return errors.Join(err, deny.Release(pin))
}

type holdKeeper struct{ *store.Store }

func (k holdKeeper) Running(ctx context.Context) ([]dropcap.Trial, error) {
	all, err := k.RunningTrials(ctx)
	var list []dropcap.Trial
	for _, t := range all {
		if t.Kind == dropcap.KindHold {
			list = append(list, t.Trial)
		}
	}
	return list, err
}

func (k holdKeeper) Edit(ctx context.Context, id string, edit func(*dropcap.Trial)) error {
	return k.EditTrial(ctx, id, edit)
}

// holdEngine is the engine as holds ask for it.
type holdEngine struct{ learnEngine }

func (e holdEngine) Events(ctx context.Context) (<-chan hold.Event, error) {
	in, err := e.Client.Events(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	out := make(chan hold.Event, cap(in))
	go func() {
		defer close(out)
		for ev := range in {
			select {
			case out <- hold.Event{Action: ev.Action, ID: ev.ID}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (e holdEngine) All(ctx context.Context) ([]hold.Container, error) {
	return e.take(ctx, snapshot.Query{HostUnseen: true})
}

func (e holdEngine) See(ctx context.Context, id string) (hold.Container, error) {
	list, err := e.take(ctx, snapshot.Query{Names: []string{id}, IfPresent: true, HostUnseen: true})
	if err != nil || len(list) == 0 {
		return hold.Container{}, errors.Join(err, dropcap.ErrNotFound)
	}
	return list[0], nil
}

func (e holdEngine) take(ctx context.Context, q snapshot.Query) ([]hold.Container, error) {
	s, err := snapshot.Take(ctx, e.described, noProcesses{}, e.described.here, q)
	var list []hold.Container
	for _, c := range s.Containers {
		if c.Unread == "" {
			list = append(list, hold.Container{ID: c.ID, Name: c.Name, Workload: c.Workload,
				Revision: c.Revision})
		}
	}
	return list, err
}

// Hold keeps capabilities from all containers of the workloads, those that come later too. It is
// written down first. The document has the holds that began, even with an error.
func (h *Host) Hold(ctx context.Context, q HoldRequest) (dropcap.Trials, error) {
	doc := dropcap.Trials{Schema: dropcap.SchemaTrial, Trials: []dropcap.Trial{}}
	session, err := h.Open(ctx)
	if err != nil {
		return doc, err
	}
	defer session.Close()
	info, _, err := session.learnable(ctx)
	if err != nil {
		return doc, notHere(err)
	}
	o, err := h.openHolding(q.Hook)
	if err != nil {
		return doc, err
	}
	defer o.close()
	list, err := holdEngine{newLearnEngine(session)}.All(ctx)
	if err != nil {
		return doc, err
	}
	chosen, err := workloadsToHold(list, q.Names)
	if err != nil {
		return doc, err
	}
	for _, w := range chosen {
		t := dropcap.Trial{Kind: dropcap.KindHold, Host: info.ID, Workload: w.workload,
			Hook: o.denier.Hook(), Asked: q.Drop, State: dropcap.TrialRunning,
			Since: now().UTC().Format(time.RFC3339), Lifted: []dropcap.Lift{},
			Denials: []dropcap.Need{}}
		if !q.Until.IsZero() {
			t.Until = q.Until.UTC().Format(time.RFC3339)
		}
		if q.Drop.Empty() {
			if t.Asked, err = h.planned(ctx, session, o.store, w, q.Policy); err != nil {
				return doc, err
			}
		}
		if err := h.beginHold(ctx, o, &t, w); err != nil {
			return doc, err
		}
		doc.Trials = append(doc.Trials, t)
	}
	return doc, nil
}

// held is a workload with its containers.
type heldWorkload struct {
	workload   string
	containers []hold.Container
}

// workloadsToHold returns the workloads that are named, or whose containers are, each once.
func workloadsToHold(list []hold.Container, names []string) (chosen []heldWorkload, err error) {
	for _, n := range names {
		i := slices.IndexFunc(list, func(c hold.Container) bool {
			return n == c.Name || n == c.ID || n == c.Workload ||
				len(n) >= 4 && strings.HasPrefix(c.ID, n)
		})
		if i < 0 {
			return nil, &dropcap.Error{Code: dropcap.CodeError, Err: dropcap.ErrNotFound,
				Message: fmt.Sprintf("cannot hold %q: there is no such container or workload", n),
				Hint:    "`dropcap audit` lists them"}
		}
		w := heldWorkload{workload: list[i].Workload}
		if w.workload == "" {
			return nil, dropcap.Errorf(dropcap.CodeIncomplete, "name the container",
				"cannot hold %q: its workload is not known", n)
		}
		for _, c := range list {
			if c.Workload == w.workload {
				w.containers = append(w.containers, c)
			}
		}
		if !slices.ContainsFunc(chosen, func(o heldWorkload) bool {
			return o.workload == w.workload
		}) {
			chosen = append(chosen, w)
		}
	}
	return chosen, nil
}

// planned returns what a plan would drop of each container of a workload.
func (h *Host) planned(ctx context.Context, session *Session, s *store.Store, w heldWorkload,
	policy dropcap.Policy) (caps.Set, error) {
	var ids []string
	for _, c := range w.containers {
		ids = append(ids, c.ID)
	}
	p, err := h.plan(ctx, session, s, PlanRequest{SeeRequest: SeeRequest{Names: ids},
		Policy: policy, Options: plan.Options{AcceptLow: true}})
	if err != nil {
		return 0, err
	}
	all := caps.UpTo(caps.Last)
	for _, step := range p.Plan.Steps {
		all &= step.Drop
	}
	if len(p.Plan.Steps) == 0 || all.Empty() {
		hint := "name what to deny with --drop, or another --level"
		for _, step := range p.Plan.Steps {
			if step.Hint != "" {
				hint = step.Hint
			}
		}
		return 0, dropcap.Errorf(dropcap.CodeIncomplete, hint,
			"cannot hold %s: the plan at level %s drops nothing of it", w.workload,
			p.Plan.Policy.Level)
	}
	return all, nil
}

// beginHold writes a hold down, and then tells the kernel.
func (h *Host) beginHold(ctx context.Context, o *holding, t *dropcap.Trial, w heldWorkload) error {
	running, err := holdKeeper{o.store}.Running(ctx)
	if err != nil {
		return err
	}
	for _, r := range running {
		if r.Workload == t.Workload {
			return dropcap.Errorf(dropcap.CodeError,
				"release it first: dropcap hold --release "+r.ID,
				"cannot hold %s: hold %s of it runs, without %s", t.Workload, r.ID,
				r.Denied.Short())
		}
	}
	var id [6]byte
	rand.Read(id[:])
	t.ID, t.Denied, t.Starts = hex.EncodeToString(id[:]), t.Asked, 0
	t.Unshown = verdict.Unshown(t.Asked, t.Asked)
	for _, c := range w.containers {
		t.Containers = append(t.Containers, c.ID)
		t.Container, t.Name, t.Revision = c.ID, c.Name, c.Revision
	}
	if err := o.store.BeginTrial(ctx, store.KeptTrial{Trial: *t},
		func(string) bool { return true }); err != nil {
		return err
	}
	return o.Apply(ctx)
}

// ReleaseHolds ends the running holds of these workloads or containers, or of these ids; all of
// this host where none is named. It returns when the kernel has let go. No engine is asked.
func (h *Host) ReleaseHolds(ctx context.Context, names []string) (dropcap.Trials, error) {
	doc := dropcap.Trials{Schema: dropcap.SchemaTrial, Trials: []dropcap.Trial{}}
	o, err := h.openHolding("")
	if err != nil {
		return doc, err
	}
	defer o.close()
	running, err := holdKeeper{o.store}.Running(ctx)
	if err != nil {
		return doc, err
	}
	chosen, err := chooseHolds(running, names)
	if err != nil {
		return doc, err
	}
	for _, t := range chosen {
		if err := o.store.EditTrial(ctx, t.ID, func(kept *dropcap.Trial) {
			hold.Over(kept, dropcap.TrialReleased, "a person released it", now())
			t = *kept
		}); err != nil {
			return doc, err
		}
		doc.Trials = append(doc.Trials, t)
	}
	if err := o.Apply(ctx); err != nil {
		return doc, err
	}
	return doc, o.unpin(ctx, h.pin())
}

// isHold reports whether a name stands for a hold: its id or a beginning of it, its workload, or
// one of its containers.
func isHold(t dropcap.Trial, name string) bool {
	begins := func(id string) bool { return len(name) >= 4 && strings.HasPrefix(id, name) }
	return name == t.Workload || name == t.Name || begins(t.ID) ||
		slices.ContainsFunc(t.Containers, begins)
}

// chooseHolds returns the holds that are named, or all.
func chooseHolds(running []dropcap.Trial, names []string) (chosen []dropcap.Trial, err error) {
	taken := map[string]bool{}
	for _, t := range running {
		is := len(names) == 0
		for _, n := range names {
			if isHold(t, n) {
				is, taken[n] = true, true
			}
		}
		if is {
			chosen = append(chosen, t)
		}
	}
	for _, n := range names {
		if !taken[n] {
			return nil, &dropcap.Error{Code: dropcap.CodeError, Err: dropcap.ErrNotFound,
				Message: fmt.Sprintf("cannot find a running hold of %q", n),
				Hint:    "`dropcap hold --list` shows them"}
		}
	}
	return chosen, nil
}

// Holds returns the holds of this host, running and over, the newest first. No engine is asked.
func (h *Host) Holds(ctx context.Context) (dropcap.Trials, error) {
	doc := dropcap.Trials{Schema: dropcap.SchemaTrial, Trials: []dropcap.Trial{}}
	if !store.Exists(h.config.Store) {
		return doc, nil
	}
	err := h.withStore(func(s *store.Store) error {
		list, err := s.Trials(ctx)
		for _, t := range list {
			if t.Kind == dropcap.KindHold {
				doc.Trials = append(doc.Trials, t.Trial)
			}
		}
		return err
	})
	return doc, err
}
