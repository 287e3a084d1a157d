package trial

import (
	"errors"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

func TestWhatCannotBeTriedIsRefusedAndNothingDenied(t *testing.T) {
	for name, x := range map[string]struct {
		arrange func(*stage, *Request)
		says    string
		kept    int
	}{
		"unhealthy already": {func(s *stage, _ *Request) {
			s.edit(func(c *Container) { c.Health = "unhealthy" })
		}, "it is unhealthy already", 0},
		"does not hold it": {func(_ *stage, q *Request) {
			q.Drop = caps.Of(caps.SysAdmin)
		}, "it does not hold SYS_ADMIN", 0},
		"no time": {func(_ *stage, q *Request) { q.For = 0 }, "cannot try for 0s", 0},
		"a probe that fails already": {func(s *stage, q *Request) {
			q.Probe, s.probe = Probe{Host: []string{"false"}}, errors.New("exit status 1")
		}, "its probe fails already: exit status 1", 0},
		"another reason": {func(s *stage, _ *Request) {
			s.edit(func(c *Container) { c.Cannot = "it has no cgroup of its own" })
		}, "it has no cgroup of its own", 0},
		"gone":        {func(s *stage, _ *Request) { s.gone = true }, "no such container", 0},
		"a full disk": {func(s *stage, _ *Request) { s.full = true }, "the disk is full", 0},
		"a kernel that refuses": {func(s *stage, _ *Request) {
			s.refuses = errors.New("no room")
		}, "no room", 1},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *stage) {
				q := asking
				x.arrange(s, &q)
				_, err := s.r.Begin(s.t.Context(), q)
				if err == nil || !strings.Contains(err.Error(), x.says) {
					t.Errorf("%v", err)
				}
				if !s.denied().Empty() || len(s.trials) != x.kept {
					t.Errorf("denied %s, kept %+v", s.denied(), s.trials)
				}
				for _, d := range s.trials {
					if !d.State.Over() {
						t.Errorf("%+v", d)
					}
				}
			})
		})
	}
}

func TestASecondTrialOfAContainerIsRefused(t *testing.T) {
	play(t, func(s *stage) {
		s.begin(asking)
		if _, err := s.r.Begin(s.t.Context(), asking); err == nil {
			t.Error("it began")
		}
		if s.denied() != tasks {
			t.Errorf("the first one denies %s", s.denied())
		}
	})
}

func TestOnlyWhatItHoldsIsAskedFor(t *testing.T) {
	play(t, func(s *stage) {
		q := asking
		q.Drop = caps.UpTo(caps.Last)
		if b := s.begin(q); b.Asked != caps.DockerDefaults || s.denied() != caps.DockerDefaults {
			t.Errorf("asked %s, denied %s", b.Asked, s.denied())
		}
	})
}

func TestADenialThatIsNotDescribedLiftsItsCapability(t *testing.T) {
	play(t, func(s *stage) {
		b := s.begin(asking)
		s.playedKernel.mu.Lock()
		s.extra = map[caps.Cap]uint64{caps.Kill: 3}
		s.playedKernel.mu.Unlock()
		s.pass(6 * time.Second)
		if d := s.kept(b); s.denied() != tasks.Minus(caps.Of(caps.Kill)) || d.Lost != 3 {
			t.Errorf("denied %s, %+v", s.denied(), d)
		}
		s.pass(hour)
		s.over(b)
		if w := s.shown(); len(w.Tried) != 1 || w.Tried[0].Lost != 3 ||
			w.Confidence.Level == dropcap.ConfidenceTried {
			t.Errorf("%+v, %+v", w.Tried, w.Confidence)
		}
	})
}

func TestWhatIsLostElsewhereIsALossToo(t *testing.T) {
	play(t, func(s *stage) {
		s.loss.Elsewhere = 5 // before the trial
		b := s.begin(asking)
		s.deny(access)
		if d := s.kept(b); d.Lost != 0 {
			t.Errorf("what was lost before counts: %+v", d)
		}
		s.playedKernel.mu.Lock()
		s.loss.Elsewhere = 7
		s.playedKernel.mu.Unlock()
		s.deny(access)
		s.pass(hour)
		if d := s.over(b); d.Lost != 2 {
			t.Errorf("%+v", d)
		}
	})
}

func TestAFullDiskKeepsNothingFromBeingLifted(t *testing.T) {
	play(t, func(s *stage) {
		b := s.begin(asking)
		s.full = true
		s.deny(chown)
		if s.denied().Has(caps.Chown) || len(s.warned) != 1 {
			t.Errorf("denied %s, warned %q", s.denied(), s.warned)
		}
		s.playedKeeper.mu.Lock()
		s.full = false
		s.playedKeeper.mu.Unlock()
		s.pass(2 * again)
		if d := s.kept(b); len(d.Lifted) != 1 {
			t.Errorf("it was not written down later: %+v", d)
		}
	})
}

func TestAnAdministratorsExecIsNotTheHealthchecks(t *testing.T) {
	exec := chown
	exec.Origin = dropcap.OriginExec
	play(t, func(s *stage) {
		s.edit(func(c *Container) { c.Health, c.Check = "healthy", "check" })
		s.begin(asking)
		s.event(Event{Action: "exec_create", Exec: "1", Ran: "bash"})
		s.deny(exec)
		if s.denied() != tasks {
			t.Fatalf("an administrator's exec lifted something: %s", s.denied())
		}
		s.event(Event{Action: "exec_die", Exec: "1"})
		s.event(Event{Action: "exec_create", Exec: "2", Ran: "check"})
		exec.Syscall = "chown"
		s.deny(exec)
		if s.denied().Has(caps.Chown) {
			t.Error("the healthcheck's need lifted nothing")
		}
	})
}

func TestHostileNamesStayOnOneLine(t *testing.T) {
	play(t, func(s *stage) {
		b := s.begin(asking)
		c := chown
		c.Exe.Path = "/x/\x1b[31m\nnginx"
		s.deny(c)
		d := s.kept(b)
		if len(d.Lifted) != 1 || strings.ContainsAny(d.Lifted[0].Because, "\x1b\n") {
			t.Errorf("%+v", d.Lifted)
		}
	})
}
