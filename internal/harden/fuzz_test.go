package harden

import (
	"math/rand/v2"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

// Whatever happens in whatever order, the stage's rules hold: see stage.Change, stage.allowed and
// the checks below.
func FuzzOrders(f *testing.F) {
	for i := range 40 {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		b := make([]byte, 150)
		for j := range b {
			b[j] = byte(r.UintN(256))
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, events []byte) {
		s := newStage(t)
		s.tick = 10 * time.Minute
		s.add("web", caps.Chown, caps.Setuid)
		s.add("db").uses[caps.Kill] = 31 * hour
		set := day
		set.Watch = 86400
		if len(events) > 0 {
			set.AddBack, set.Approve = events[0]&1 != 0, events[0]&6 == 6
			if events[0]&8 != 0 {
				set.Window = ""
			}
		}
		s.harden("web", set)
		s.harden("db", set)
		r := s.runner()
		for _, e := range events[:min(len(events), 120)] {
			s.happens(e)
			r = s.run(r, time.Duration(1+e%16)*30*time.Minute)
			s.holds()
		}
		// whatever it was, an end of it leads on
		s.full, s.down, s.untraced, s.crash, s.cannotTry = false, false, false, "", ""
		s.run(r, time.Hour)
		s.holds()
	})
}

// happens plays one of the things that go wrong or are asked for.
func (s *stage) happens(e byte) {
	w := []string{"docker:web", "docker:db"}[e>>7]
	p := s.lists[w]
	steps := []string{"before keep", "after keep", "before try", "after try", "before change",
		"within change", "after change", "before backout", "after backout"}
	asked := func(do func(time.Time, dropcap.Hardening) (dropcap.Hardening, error)) {
		if h, err := do(s.clock, s.rows[w]); err == nil {
			s.rows[w] = h
		}
	}
	switch e >> 2 & 31 {
	case 0:
		p.revision++
		p.learned, p.seen, p.tried, p.trial = 0, 0, nil, nil
		p.holds = p.declared
	case 1:
		p.holds, p.denied = p.declared, 0
	case 2:
		p.gone = !p.gone
	case 3:
		p.running = !p.running
	case 4:
		s.full = !s.full
	case 5:
		s.down = !s.down
	case 6:
		s.crash = steps[int(e)%len(steps)]
	case 7:
		s.clock = s.clock.Add(time.Duration(int(e)-128) * hour)
	case 8:
		s.breaks = 1
	case 9:
		p.unwell = "it is unhealthy"
	case 10:
		p.unwell, p.sick = "", ""
	case 11:
		p.sick = "it became unhealthy"
	case 12:
		asked(Pause)
	case 13, 14:
		asked(Resume)
	case 15:
		asked(Stop)
	case 16, 17:
		asked(Approve)
	case 18:
		s.untraced = !s.untraced
	case 19:
		s.starts = !s.starts
	case 20:
		if c := p.change; c != nil && c.State == dropcap.Applied && s.rows[w].Backing == "" {
			c.State, p.holds = dropcap.BackedOut, p.undone // by a person
		}
	case 21:
		p.uses[caps.NetRaw] = 7 * hour
	case 22:
		if p.trying() {
			s.ended(p, dropcap.TrialStopped, "a person ended it (dropcap trial --stop)")
		}
	}
}

// holds fails the test where something is denied, or changed and not watched, that nobody asks for.
func (s *stage) holds() {
	s.t.Helper()
	for w, p := range s.lists {
		h := s.rows[w]
		quiet := !s.full && !s.down && s.crash == ""
		if p.trying() && !h.Active() && quiet && s.since(h) > s.tick && !p.gone {
			s.t.Fatalf("%s is denied %s, and is %s", w, p.trial.Denied.Short(), h.State)
		}
		if h.Backing != "" && quiet && p.change != nil && p.change.State == dropcap.Applied &&
			p.change.ID == h.Change && !p.gone && h.State == dropcap.HardenWatching {
			s.t.Fatalf("%s should be backed out, and is not: %s", w, h.Backing)
		}
		if p.holds.Minus(p.declared) != 0 {
			s.t.Fatalf("%s was granted %s", w, p.holds.Minus(p.declared).Short())
		}
	}
}

// since is for how long a hardening is where it is.
func (s *stage) since(h dropcap.Hardening) time.Duration {
	return (&step{now: s.clock, h: h}).since()
}
