package trial

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

// Whatever happens in whatever order: nothing is denied but what was asked for and not lifted,
// nothing that is over denies anything, what was lifted stays so, and what is kept ends in a state
// that is over.
func TestAnyOrderOfEvents(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			play(t, func(s *stage) {
				r := rand.New(rand.NewPCG(seed, 7))
				q := asking
				q.Strict, q.Tolerant = r.IntN(4) == 0, r.IntN(4) == 0
				q.Probe = Probe{Host: []string{"true"}}
				b := s.begin(q)
				for range 40 {
					s.happens(r)
					s.holds(b)
				}
				s.playedKeeper.mu.Lock()
				s.full = false
				s.playedKeeper.mu.Unlock()
				s.cancel()
				s.pass(time.Second)
				if d := s.kept(b); !d.State.Over() || !d.Denied.Empty() {
					t.Errorf("at the end: %+v", d)
				}
			})
		})
	}
}

// happens plays one thing that may happen.
func (s *stage) happens(r *rand.Rand) {
	e := s.playedEngine
	running := func(yes bool) {
		s.edit(func(c *Container) {
			if c.Running = yes; yes && c.Cgroup == 0 {
				c.Cgroup, c.Started = 100+r.Uint64N(1000), time.Now()
			} else if !yes {
				c.Cgroup = 0
			}
		})
	}
	switch r.IntN(16) {
	case 0:
		s.event(Event{Action: "kill", Signal: "15"})
	case 1:
		running(false)
		s.event(Event{Action: "die", Exit: "143"})
	case 2, 3:
		running(true)
		s.event(Event{Action: "start"})
	case 4:
		s.event(Event{Action: "reconnected"})
	case 5:
		running(r.IntN(2) == 0) // without a word
	case 6:
		s.event(Event{Action: []string{"pause", "unpause"}[r.IntN(2)]})
	case 7:
		s.event(Event{Action: "exec_create", Exec: "1", Ran: "x"})
	case 8:
		s.event(Event{Action: "exec_die", Exec: "1"})
	case 9:
		e.mu.Lock()
		e.fails = []error{nil, errors.New("the engine does not answer")}[r.IntN(2)]
		e.mu.Unlock()
	case 10:
		s.playedKeeper.mu.Lock()
		s.full = !s.full && r.IntN(3) == 0
		s.playedKeeper.mu.Unlock()
	case 11:
		s.pass(time.Duration(r.IntN(90)) * time.Second)
	default:
		c := []dropcap.KernelCheck{chown, access, strange, check(caps.NetRaw, "socket")}[r.IntN(4)]
		e.mu.Lock()
		c.Cgroup = e.c.Cgroup
		e.mu.Unlock()
		if r.IntN(3) == 0 {
			c.Origin = dropcap.OriginExec
		}
		if c.Cgroup != 0 {
			s.deny(c)
		}
	}
}

// holds checks what must hold at any time.
func (s *stage) holds(b Begun) {
	s.t.Helper()
	denied := s.denied()
	running, err := s.r.Running(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if len(running) == 0 {
		if !denied.Empty() {
			s.t.Fatalf("%s is denied after the end", denied)
		}
		return
	}
	d := running[0]
	var lifted caps.Set
	for _, l := range d.Lifted {
		if !(l.Caps & lifted).Empty() {
			s.t.Fatalf("%s is lifted twice: %+v", l.Caps&lifted, d.Lifted)
		}
		lifted |= l.Caps
	}
	if denied != d.Denied || d.Denied != b.Asked.Minus(lifted) || d.Denied.Empty() {
		s.t.Fatalf("the kernel denies %s, the trial %s of %s without %s", denied, d.Denied,
			b.Asked, lifted)
	}
}
