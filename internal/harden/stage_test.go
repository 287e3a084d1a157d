package harden

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

// stage is a host, its store and its clock, all played. It checks on the way what must always hold.
type stage struct {
	t     testing.TB
	clock time.Time     // may be set
	ran   time.Duration // only grows
	last  time.Duration
	tick  time.Duration

	rows  map[string]dropcap.Hardening
	lists map[string]*played

	down, full, untraced bool
	cannotTry            string
	changes              int
	busy                 bool   // a change is under way
	crash                string // the step at which dropcap dies next
	said                 []string
	// breaks makes the gate of so many changes refuse them.
	breaks int
	why    string // they say
	sure   bool   // what is learned is of high confidence
	starts bool   // a start must be seen first
}

var errCrash = errors.New("dropcap was killed")

// played is a workload with one container.
type played struct {
	name      string
	revision  int
	declared  caps.Set // what its owner makes it with
	holds     caps.Set
	uses      map[caps.Cap]time.Duration // how often it uses what
	seen      caps.Set                   // of this revision, by the recording
	learned   time.Duration
	running   bool
	gone      bool
	unwell    string
	change    *dropcap.Change
	denied    caps.Set // since the change
	trial     *dropcap.Trial
	trialEnds time.Duration
	tried     []dropcap.Tried
	restarts  int
	refused   string
	undone    caps.Set // what a backout gives back
	sick      string   // what makes the next trial's container unhealthy
}

func newStage(t testing.TB) *stage {
	return &stage{t: t, clock: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), tick: time.Minute,
		rows: map[string]dropcap.Hardening{}, lists: map[string]*played{}, sure: true}
}

// add adds a container with docker's defaults that uses these capabilities each hour.
func (s *stage) add(name string, uses ...caps.Cap) *played {
	p := &played{name: name, declared: caps.DockerDefaults, holds: caps.DockerDefaults,
		running: true, uses: map[caps.Cap]time.Duration{}}
	for _, c := range uses {
		p.uses[c] = time.Hour
	}
	s.lists["docker:"+name] = p
	return p
}

var day = dropcap.HardenSettings{Level: dropcap.LevelLeast, Learn: 86400, Trial: 86400,
	Watch: 7 * 86400, Window: "02:00-05:00"}

func (s *stage) harden(name string, set dropcap.HardenSettings) {
	w := "docker:" + name
	var former *dropcap.Hardening
	if h, ok := s.rows[w]; ok {
		former = &h
	}
	s.rows[w] = Begin(s.clock, former, w, "h", set)
}

func (s *stage) runner() *Runner {
	s.last = s.ran
	return &Runner{World: s, Book: s, Now: func() time.Time { return s.clock },
		Since: func() time.Duration { d := s.ran - s.last; s.last = s.ran; return d },
		Warn:  func(err error) { s.said = append(s.said, err.Error()) },
		Say:   func(f string, a ...any) { s.said = append(s.said, fmt.Sprintf(f, a...)) }}
}

// run lets time go by, with a round each tick. Where dropcap is killed it is started again.
func (s *stage) run(r *Runner, d time.Duration) *Runner {
	for end := s.ran + d; s.ran < end; {
		s.pass(s.tick)
		func() {
			defer func() {
				if p := recover(); p != nil {
					if p != errCrash {
						panic(p)
					}
					s.died()
					r = s.runner()
				}
			}()
			_ = r.Round(s.t.Context(), nil)
		}()
	}
	return r
}

// died ends all that lives in dropcap's process.
func (s *stage) died() {
	s.busy = false
	for _, p := range s.lists {
		if p.trial != nil && !p.trial.State.Over() {
			s.ended(p, dropcap.TrialDied, "its process ended")
		}
	}
}

func (s *stage) dies(at string) {
	if s.crash == at {
		s.crash = ""
		panic(errCrash)
	}
}

// pass lets time go by for everybody but dropcap.
func (s *stage) pass(d time.Duration) {
	before := s.ran
	s.ran, s.clock = s.ran+d, s.clock.Add(d)
	for _, w := range slices.Sorted(maps.Keys(s.lists)) {
		p := s.lists[w]
		if !p.running || p.gone {
			continue
		}
		if !s.untraced {
			p.learned += d
		}
		if p.trying() {
			s.allowed(w, p)
			p.trial.Seconds += int64(d / time.Second)
		}
		for c, every := range p.uses {
			if before/every != s.ran/every {
				s.use(p, c)
			}
		}
		if p.trying() && p.sick != "" {
			p.trial.Lifted = append(p.trial.Lifted, dropcap.Lift{Caps: p.trial.Denied,
				Because: p.sick})
			p.trial.Denied = 0
			s.ended(p, dropcap.TrialLifted, p.sick)
		}
		if p.trying() && s.ran >= p.trialEnds {
			s.ended(p, dropcap.TrialDone, "its time is over")
		}
	}
}

func (p *played) trying() bool { return p.trial != nil && !p.trial.State.Over() }

func (s *stage) use(p *played, c caps.Cap) {
	switch {
	case p.trying() && p.trial.Denied.Has(c):
		p.trial.Denied = p.trial.Denied.Minus(caps.Of(c))
		p.trial.Lifted = append(p.trial.Lifted, dropcap.Lift{Caps: caps.Of(c), Because: "denied",
			By: &dropcap.By{Exe: "/bin/x"}})
		p.seen |= caps.Of(c)
	case p.holds.Has(c):
		p.seen |= caps.Of(c)
	case p.change != nil && p.change.State == dropcap.Applied:
		p.denied |= caps.Of(c)
	}
}

func (s *stage) ended(p *played, state dropcap.TrialState, why string) {
	t := p.trial
	t.State, t.Because, t.Denied = state, why, 0
	asked := t.Asked.Minus(lifted(*t))
	if state != dropcap.TrialLifted && !asked.Empty() {
		p.tried = append(p.tried, dropcap.Tried{Caps: asked, Container: p.name, Trial: t.ID,
			Seconds: t.Seconds, Lost: t.Lost})
	}
}

// allowed fails the test if something is denied that nobody asks for.
func (s *stage) allowed(w string, p *played) {
	h, ok := s.rows[w]
	if !ok || p.trial.Denied.Minus(p.holds) != 0 || p.trial.Denied&p.seen != 0 {
		s.t.Fatalf("%s is denied %s; it was seen to need %s", w, p.trial.Denied.Short(),
			p.seen.Short())
	}
	if h.State == dropcap.HardenDone || h.State == dropcap.HardenWatching {
		s.t.Fatalf("%s is denied %s, and is %s", w, p.trial.Denied.Short(), h.State)
	}
}

// state returns where the hardening of a workload is.
func (s *stage) state(name string) dropcap.HardenState { return s.rows["docker:"+name].State }

func (s *stage) want(name string, want dropcap.HardenState) {
	s.t.Helper()
	if h := s.rows["docker:"+name]; h.State != want {
		s.t.Fatalf("%s is %s (%s; waits for %s), want %s\n%v", name, h.State, h.Because, h.Waiting,
			want, s.said)
	}
}
