package trial

import (
	"errors"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

func TestATrialEndsByItselfAndIsEvidence(t *testing.T) {
	play(t, func(s *stage) {
		b := s.begin(Request{Container: web, Drop: tasks, For: 25 * hour})
		if got := s.denied(); got != tasks {
			t.Fatalf("denied %s, asked for %s", got, tasks)
		}
		s.deny(access)
		s.pass(hour)
		s.restart(78)
		s.pass(23*hour + 30*time.Minute)
		raw := check(caps.NetRaw, "socket", "inet_create")
		raw.Cgroup = 78
		if !s.deny(raw) {
			t.Error("it ended early")
		}
		s.pass(time.Hour)
		d := s.over(b)
		if d.State != dropcap.TrialDone || d.Starts != 1 || d.Stops != 1 || d.Seconds < 24*3600 ||
			len(d.Lifted) != 1 {
			t.Errorf("%+v", d)
		}
		w := s.shown()
		if len(w.Tried) != 1 || w.Tried[0].Caps != tasks.Minus(caps.Of(caps.NetRaw)) ||
			w.Tried[0].Denied != 2 || w.Tried[0].Exercised != caps.Of(caps.DacOverride) {
			t.Errorf("tried %+v", w.Tried)
		}
		if w.Required != caps.Of(caps.NetRaw) {
			t.Errorf("required %s", w.Required)
		}
	})
}

// restart plays an operator's `docker restart`.
func (s *stage) restart(next uint64) {
	s.event(Event{Action: "kill", Signal: "15"})
	s.edit(func(c *Container) { c.Running, c.Cgroup = false, 0 })
	s.event(Event{Action: "die", Exit: "143"})
	s.edit(func(c *Container) {
		c.Running, c.Cgroup, c.Started = true, next, time.Now()
	})
	s.event(Event{Action: "start"})
}

func TestADecisiveDenialLiftsItsCapabilityAtOnce(t *testing.T) {
	play(t, func(s *stage) {
		b := s.begin(asking)
		before := time.Now()
		s.deny(chown)
		if left := s.denied(); left != tasks.Minus(caps.Of(caps.Chown)) {
			t.Fatalf("denied after it: %s", left)
		}
		if took := time.Since(before); took > 0 {
			t.Errorf("it took %s", took)
		}
		if s.deny(chown) {
			t.Error("it is denied again")
		}
		d := s.kept(b)
		if len(d.Lifted) != 1 || d.Lifted[0].By.Exe != "/usr/sbin/nginx" || d.Lifted[0].Started ||
			!strings.Contains(d.Lifted[0].Because, "nginx was denied CHOWN at fchownat") {
			t.Errorf("lifted %+v", d.Lifted)
		}
		if w := s.shown(); w.Required != caps.Of(caps.Chown) || !w.Needs[0].Trial {
			t.Errorf("evidence at once: %+v", w)
		}
	})
}

func TestWhatLiftsNothing(t *testing.T) {
	exec := chown
	exec.Origin = dropcap.OriginExec
	other := chown
	other.OwnCred = false
	spent := chown
	spent.Spent = true
	for name, c := range map[string]dropcap.KernelCheck{
		"silent": access, "an administrator's exec": exec, "other credentials": other,
		"given up": spent,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *stage) {
				b := s.begin(asking)
				s.deny(c)
				s.pass(3 * time.Second)
				d := s.kept(b)
				if s.denied() != tasks || len(d.Lifted) > 0 {
					t.Errorf("denied %s, lifted %+v", s.denied(), d.Lifted)
				}
				s.pass(hour)
				if d = s.over(b); len(d.Denials) != 1 || d.Denials[0].Count != 2 ||
					!d.Denials[0].Harmless {
					t.Errorf("it is not listed: %+v", d.Denials)
				}
			})
		})
	}
}

func TestAServedAlternativeIsNoHarm(t *testing.T) {
	search := check(caps.DacReadSearch, "openat", "generic_permission", "inode_permission")
	both := caps.Of(caps.DacReadSearch, caps.DacOverride)
	for name, x := range map[string]struct {
		drop  caps.Set
		lifts bool
	}{
		"the other serves":   {caps.Of(caps.DacReadSearch), false},
		"the other is tried": {both, true},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *stage) {
				s.edit(func(c *Container) { c.Holds |= both })
				search.Held = caps.DockerDefaults | both
				s.begin(Request{Container: web, Drop: x.drop, For: hour})
				s.deny(search)
				if lifted := !s.denied().Has(caps.DacReadSearch); lifted != x.lifts {
					t.Errorf("lifted: %v", lifted)
				}
			})
		})
	}
}

func TestWhatNoRuleKnowsLiftsUnlessItWasNamed(t *testing.T) {
	for _, named := range []bool{false, true} {
		play(t, func(s *stage) {
			q := asking
			q.Named = named
			s.begin(q)
			s.deny(strange)
			if s.denied().Has(caps.Kill) != named {
				t.Errorf("named %v: denied %s", named, s.denied())
			}
		})
	}
}

func TestATolerantTrialGoesOnWhereProgramsOftenDo(t *testing.T) {
	kill := check(caps.Kill, "kill", "kill_ok_by_cred", "check_kill_permission")
	for _, tolerant := range []bool{false, true} {
		play(t, func(s *stage) {
			q := asking
			q.Tolerant = tolerant
			s.begin(q)
			s.deny(kill)
			if s.denied().Has(caps.Kill) != tolerant {
				t.Errorf("tolerant %v: denied %s", tolerant, s.denied())
			}
			if s.deny(chown); s.denied().Has(caps.Chown) {
				t.Errorf("tolerant %v: what nothing does without is not lifted", tolerant)
			}
		})
	}
}

func TestWhatWasDeniedBeforeIsNoHarm(t *testing.T) {
	play(t, func(s *stage) {
		s.known = func(c dropcap.KernelCheck, site string) bool {
			return c.Cap == caps.Chown && site == "chown_ok"
		}
		s.begin(asking)
		s.deny(chown)
		if s.denied() != tasks {
			t.Errorf("denied %s", s.denied())
		}
	})
}

func TestStrictLiftsAllOfTheContainer(t *testing.T) {
	play(t, func(s *stage) {
		q := asking
		q.Strict = true
		b := s.begin(q)
		s.deny(chown)
		if d := s.over(b); d.State != dropcap.TrialLifted || d.Lifted[0].Caps != tasks {
			t.Errorf("%+v", d)
		}
	})
}

func TestTroubleLiftsEverything(t *testing.T) {
	for name, trouble := range map[string]func(*stage){
		"became unhealthy": func(s *stage) {
			s.event(Event{Action: "health_status", Health: "unhealthy"})
		},
		"ended by itself, with status 1": func(s *stage) {
			s.event(Event{Action: "die", Exit: "1"})
		},
		"ended by itself, with status 0": func(s *stage) {
			s.event(Event{Action: "die", Exit: "0"})
		},
		"ran out of memory": func(s *stage) { s.event(Event{Action: "oom"}) },
		"its probe failed: it is down": func(s *stage) {
			s.pass(20 * time.Second)
			s.playedEngine.mu.Lock()
			s.probe = errors.New("it is down")
			s.playedEngine.mu.Unlock()
			s.pass(ProbeEvery + 2*time.Second)
		},
		"ended by itself, with status 137": func(s *stage) { // long after a reload
			s.event(Event{Action: "kill", Signal: "1"})
			s.event(Event{Action: "die", Exit: "137"})
		},
		"by its restart policy": func(s *stage) { // while the engine could not be asked
			s.edit(func(c *Container) {
				c.Restarts, c.Started, c.Cgroup = 1, time.Now(), 78
			})
			s.event(Event{Action: "reconnected"})
		},
		"did not run again": func(s *stage) {
			s.edit(func(c *Container) { c.Running, c.Cgroup = false, 0 })
			s.event(Event{Action: "reconnected"})
			s.pass(comesBack + 3*time.Second)
		},
		"cannot be read: blind": func(s *stage) {
			s.playedKernel.mu.Lock()
			s.failing = errors.New("blind")
			s.playedKernel.mu.Unlock()
			s.pass(2 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *stage) {
				q := asking
				q.Probe = Probe{Host: []string{"true"}}
				b := s.begin(q)
				trouble(s)
				d := s.over(b)
				if d.State != dropcap.TrialLifted || !d.Denied.Empty() || len(d.Lifted) != 1 ||
					d.Lifted[0].Caps != tasks || !strings.Contains(d.Because, name) {
					t.Errorf("%+v", d)
				}
				if w := s.shown(); len(w.Tried) > 0 {
					t.Errorf("it counts as tried: %+v", w.Tried)
				}
			})
		})
	}
}

func TestARestartByAnOperatorIsNoTrouble(t *testing.T) {
	play(t, func(s *stage) {
		b := s.begin(asking)
		s.restart(78)
		if s.denied() != tasks {
			t.Fatalf("denied %s", s.denied())
		}
		again := chown
		again.Cgroup = 78
		s.deny(again)
		d := s.kept(b)
		if d.Starts != 1 || d.Stops != 1 || len(d.Lifted) != 1 || !d.Lifted[0].Started {
			t.Errorf("%+v", d)
		}
		if len(s.forgot) != 1 || s.forgot[0] != cgroup {
			t.Errorf("forgotten: %v", s.forgot)
		}
	})
}

func TestWhatEndsBeforeItCanBeLookedAtStillSaysWhy(t *testing.T) {
	play(t, func(s *stage) {
		s.edit(func(c *Container) { c.Running, c.Cgroup = false, 0 })
		b := s.begin(asking)
		s.event(Event{Action: "start"}) // and nobody can look at it
		early := chown
		early.Cgroup = 99
		s.deny(early)
		s.event(Event{Action: "die", Exit: "1"})
		d := s.over(b)
		if len(d.Lifted) != 2 || d.Lifted[0].Caps != caps.Of(caps.Chown) || !d.Lifted[0].Started ||
			d.Lifted[1].Caps != tasks.Minus(caps.Of(caps.Chown)) {
			t.Errorf("%+v", d)
		}
		if w := s.shown(); w.Required != caps.Of(caps.Chown) {
			t.Errorf("required %s", w.Required)
		}
	})
}

func TestWhileItIsStoppedNoTimeCounts(t *testing.T) {
	play(t, func(s *stage) {
		b := s.begin(asking)
		s.pass(10 * time.Minute)
		s.event(Event{Action: "kill", Signal: "15"})
		s.edit(func(c *Container) { c.Running, c.Cgroup = false, 0 })
		s.event(Event{Action: "die", Exit: "0"})
		s.pass(hour)
		if d := s.over(b); d.State != dropcap.TrialDone || d.Seconds != 600 {
			t.Errorf("%+v", d)
		}
	})
}

func TestAContainerThatRanBetweenTwoLooksWasStarted(t *testing.T) {
	play(t, func(s *stage) {
		b := s.begin(asking)
		s.edit(func(c *Container) { c.Started, c.Cgroup = time.Now().Add(time.Second), 79 })
		s.event(Event{Action: "reconnected"})
		s.pass(2 * time.Second)
		again := chown
		again.Cgroup = 79
		s.deny(again)
		if d := s.kept(b); d.Starts != 1 || d.Stops != 1 || len(d.Lifted) != 1 {
			t.Errorf("%+v", d)
		}
	})
}

func TestAPersonEndsIt(t *testing.T) {
	for name, end := range map[string]func(*stage, Begun){
		"by the store": func(s *stage, b Begun) {
			s.playedKeeper.mu.Lock()
			s.stops[b.ID] = "a person ended it"
			s.playedKeeper.mu.Unlock()
			s.pass(2 * time.Second)
		},
		"by the process": func(s *stage, _ Begun) {
			if err := s.r.Stop(s.t.Context(), web, "a person ended it"); err != nil {
				s.t.Error(err)
			}
			s.pass(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *stage) {
				b := s.begin(asking)
				s.pass(time.Minute)
				end(s, b)
				d := s.over(b)
				if d.State != dropcap.TrialStopped || d.Because != "a person ended it" ||
					d.Seconds < 60 {
					t.Errorf("%+v", d)
				}
			})
		})
	}
}

func TestARemovedContainerEndsIt(t *testing.T) {
	play(t, func(s *stage) {
		b := s.begin(asking)
		s.event(Event{Action: "destroy"})
		if d := s.over(b); d.State != dropcap.TrialStopped {
			t.Errorf("%+v", d)
		}
	})
}

func TestTheEndOfTheProcessIsWrittenDown(t *testing.T) {
	play(t, func(s *stage) {
		b := s.begin(asking)
		s.pass(time.Minute)
		s.cancel()
		s.pass(time.Second)
		if d := s.over(b); d.State != dropcap.TrialStopped || d.Seconds != 60 {
			t.Errorf("%+v", d)
		}
	})
}

// The kernel lets go when the process is killed; what is kept then says so much as to be true.
func TestAKillAtAnyTimeLeavesARunningTrialAndWhatItShowed(t *testing.T) {
	play(t, func(s *stage) {
		s.atBegin = func() {
			if !s.denied().Empty() {
				t.Error("something is denied before it is written down")
			}
		}
		b := s.begin(asking)
		s.pass(10 * time.Minute)
		if d := s.kept(b); d.State != dropcap.TrialRunning || d.Seconds < 300 {
			t.Errorf("kept after ten minutes: %+v", d)
		}
		if w := s.shown(); len(w.Tried) != 1 || w.Tried[0].Seconds < 300 {
			t.Errorf("shown after ten minutes: %+v", w.Tried)
		}
	})
}
