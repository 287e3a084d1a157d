package harden

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"dropcap"
	"dropcap/caps"
)

// The Book.

func (s *stage) Hardenings(context.Context) ([]dropcap.Hardening, error) {
	var list []dropcap.Hardening
	for _, w := range slices.Sorted(maps.Keys(s.rows)) {
		list = append(list, s.rows[w])
	}
	return list, nil
}

func (s *stage) KeepHardening(_ context.Context, was, is dropcap.Hardening) error {
	s.dies("before keep")
	if s.full {
		return errors.New("the disk is full")
	}
	if !reflect.DeepEqual(s.rows[is.Workload], was) {
		return ErrChanged
	}
	s.rows[is.Workload] = is
	s.dies("after keep")
	return nil
}

// The World.

func (s *stage) Refresh(context.Context) error {
	if s.down {
		return errors.New("the engine does not answer")
	}
	return nil
}

func (s *stage) Look(_ context.Context, h dropcap.Hardening) (View, error) {
	p := s.lists[h.Workload]
	if p == nil || p.gone {
		return View{}, nil
	}
	v := View{Containers: []string{p.name}, Revision: fmt.Sprint("r", p.revision), Holds: p.holds,
		Learned: int64(p.learned / time.Second), CannotTry: s.cannotTry, Tried: p.tried,
		Unwell: p.unwell}
	if s.untraced {
		v.NotLearning = "it is traced by nobody"
	}
	if p.running {
		v.Running = 1
	}
	if p.trial != nil {
		t := *p.trial
		v.Trial, v.Ours = &t, true
	}
	if p.change != nil {
		c := *p.change
		v.Change = &c
		if c.State == dropcap.Applied && c.ID == h.Change && !p.denied.Empty() {
			v.Denied, v.Missed = "x needed "+p.denied.Short(), p.denied
		}
	}
	return v, nil
}

func (s *stage) Plan(_ context.Context, h dropcap.Hardening) (Proposal, error) {
	p := s.lists[h.Workload]
	q := Proposal{Drop: p.holds.Minus(p.seen | h.Missed), Required: p.seen, Sure: s.sure,
		Missing: "see it stop", Stop: !s.sure}
	if s.starts && p.restarts == 0 {
		q.Start, q.Doubt = true, dropcap.Refusal{Message: "no start was seen"}
	}
	if p.restarts > 0 {
		q.Sure, q.Stop = true, false
	}
	q.Refused.Message, q.Refused.Hint = p.refused, "mend it"
	return q, nil
}

func (s *stage) Try(_ context.Context, h dropcap.Hardening, drop caps.Set) error {
	s.dies("before try")
	p := s.lists[h.Workload]
	if p.trying() {
		return nil
	}
	if s.rows[h.Workload].State != dropcap.HardenTrying {
		s.t.Fatalf("%s is tried, and the store says that it is %s", h.Workload,
			s.rows[h.Workload].State)
	}
	left := time.Duration(h.Settings.Trial-h.Tried) * time.Second
	p.trial = &dropcap.Trial{ID: fmt.Sprint("t", s.ran), Asked: drop, Denied: drop,
		State: dropcap.TrialRunning, Since: stamp(s.clock), Container: p.name}
	p.trialEnds = s.ran + left
	s.dies("after try")
	return nil
}

func (s *stage) EndTrial(_ context.Context, h dropcap.Hardening) error {
	if p := s.lists[h.Workload]; p != nil && p.trying() {
		s.ended(p, dropcap.TrialStopped, "somebody ended it")
	}
	return nil
}

func (s *stage) Restart(_ context.Context, h dropcap.Hardening) error {
	s.inWindow(h)
	s.lists[h.Workload].restarts++
	return nil
}

func (s *stage) inWindow(h dropcap.Hardening) {
	w, err := dropcap.ParseWindow(h.Settings.Window)
	if err != nil || !w.Open(s.clock) {
		s.t.Fatalf("%s is stopped at %s, out of the window %s", h.Workload, s.clock, w)
	}
}

func (s *stage) Change(_ context.Context, h dropcap.Hardening, drop caps.Set) error {
	s.dies("before change")
	p, row := s.lists[h.Workload], s.rows[h.Workload]
	if p == nil || p.gone {
		return errors.New("it is gone")
	}
	st := &step{h: h, v: View{Tried: p.tried}}
	tried := st.tried(drop)
	switch {
	case s.busy:
		s.t.Fatal("two changes at once")
	case row.State != dropcap.HardenApplying || row.Proposed != drop:
		s.t.Fatalf("%s changes, and the store says %s of %s", h.Workload, row.State,
			row.Proposed.Short())
	case drop.Minus(p.holds) != 0 || drop&(p.seen|h.Missed) != 0 || drop == 0:
		s.t.Fatalf("it drops %s, holds %s, needs %s", drop.Short(), p.holds.Short(),
			p.seen.Short())
	case h.Settings.Trial > 0 && s.cannotTry == "" && tried < h.Settings.Trial:
		s.t.Fatalf("it drops %s, which was tried for %ds", drop.Short(), tried)
	case h.Settings.Approve && drop.Minus(h.Approved) != 0:
		s.t.Fatal("nobody has approved it")
	case p.trying():
		s.t.Fatal("it is changed under a trial")
	}
	s.inWindow(h)
	s.changes++
	s.busy = true
	p.change = &dropcap.Change{ID: fmt.Sprintf("c%d", s.changes), Workload: h.Workload,
		Name: p.name, State: dropcap.Switching,
		Was: dropcap.Grant{Holds: p.holds}, Is: dropcap.Grant{Holds: p.holds.Minus(drop)}}
	s.dies("within change")
	s.finish(p)
	s.dies("after change")
	return nil
}

// finish ends a change that was begun.
func (s *stage) finish(p *played) {
	s.busy = false
	if s.breaks > 0 {
		s.breaks--
		p.change.State, p.change.Because = dropcap.RolledBack, cmp.Or(s.why,
			"it did not become healthy")
		return
	}
	p.undone = p.holds
	p.holds, p.change.State, p.denied = p.change.Is.Holds, dropcap.Applied, 0
}

func (s *stage) Recover(context.Context) error {
	for _, p := range s.lists {
		if p.change != nil && !p.change.State.Over() {
			s.finish(p)
		}
	}
	return nil
}

func (s *stage) Backout(_ context.Context, h dropcap.Hardening) error {
	s.dies("before backout")
	p := s.lists[h.Workload]
	if s.rows[h.Workload].Backing == "" {
		s.t.Fatal("it is backed out, and the store does not say why")
	}
	if p == nil || p.gone || p.change == nil {
		return errors.New("there is nothing to back out")
	}
	p.change.State, p.holds, p.denied, p.unwell = dropcap.BackedOut, p.undone, 0, ""
	s.dies("after backout")
	return nil
}
