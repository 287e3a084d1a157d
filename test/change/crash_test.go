package change_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
)

// contract lists effects that each operation must have; further ones are tested all the same.
var contract = map[string][]string{
	"apply": {"note-begin", "create-new", "inspect-new", "note-created", "carry-layer",
		"note-switching",
		"stop-old", "carry-rest", "rename-old", "rename-new", "hold-old", "start-new", "sync-layer",
		"note-checking", "inspect-gate", "note-applied"},
	"rollback": {"start-new", "probe", "note-rolling-back", "stop-new", "rename-new-back",
		"rename-old-back", "restore-old", "start-old", "look-layer", "remove-backed-out",
		"note-rolled-back"},
	"backout": {"note-backing-out", "stop-new", "rename-new-back", "rename-old-back",
		"restore-old", "start-old", "remove-backed-out", "note-backed-out"},
}

var policies = []string{"always", "unless-stopped", "no"}

// policy returns one of the policies in turn; a container without a policy has none to hold or
// restore.
func (p point) policy(i int) string {
	if strings.Contains(p.where, "hold-") || strings.Contains(p.where, "restore-") ||
		strings.Contains(p.where, "look-old") {
		return "always"
	}
	return policies[i%len(policies)]
}

// point is when and where something happens.
type point struct {
	op    operation
	where string // "before:stop-old"
}

func (p point) String() string { return p.op.name + " " + p.where }

// engine returns a policy under which the engine restarts the container by itself. Without
// live-restore, a killed engine ends what still runs at its next start as if somebody had stopped
// it (moby daemon/kill.go, HasBeenManuallyStopped), so unless-stopped does not qualify.
func (p point) engine(i int, live bool) string {
	if !live {
		return "always"
	}
	return p.policy(i % 2)
}

// everyPoint lists all points; the short form lists the most important ones.
func everyPoint(t *testing.T, s *stage, when ...string) (list []point) {
	t.Helper()
	for _, op := range operations {
		names := s.points(t, op)
		for _, must := range contract[op.name] {
			if !slices.Contains(names, must) {
				t.Errorf("%s has no effect %s: %v", op.name, must, names)
			}
		}
		// The way forward of a rollback is the same as apply's.
		if i := slices.Index(names, "note-rolling-back"); i > 0 {
			names = names[i:]
		}
		for _, name := range names {
			for _, w := range when {
				list = append(list, point{op, w + ":" + name})
			}
		}
	}
	return list
}

var shortPoints = []point{
	{applies, "after:carry-layer"}, {applies, "before:carry-rest"}, {applies, "after:carry-rest"},
	{applies, "after:create-new"}, {applies, "after:rename-old"}, {applies, "after:start-new"},
	{rollsBack, "after:rename-new-back"}, {backsOut, "after:rename-new-back"},
	{backsOut, "before:start-old"},
}

// dropcap is killed before and after each effect; then recover, killed once at each effect of its
// own, too.
func TestKilledAnywhereItRecovers(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	list := shortPoints
	if full {
		list = everyPoint(t, s, "before", "after")
	}
	t.Run("points", func(t *testing.T) {
		for i, p := range list {
			t.Run(p.String(), func(t *testing.T) {
				t.Parallel()
				r := s.rig(t, fmt.Sprintf("web%d", i), p.policy(i))
				r.ready(t, p.op)
				if e := r.do(t, p.op, p.where+"=kill"); e.status != -1 {
					t.Fatalf("it was not killed: %v", e)
				}
				r.recover(t)
				r.whole(t)
				r.again(t)
			})
		}
	})
}

// again checks that a recovered crash obstructs nothing.
func (r *rig) again(t *testing.T) {
	t.Helper()
	if h := r.history(t); len(h) > 0 && h[0].State == dropcap.Applied {
		if e := r.do(t, backsOut, ""); e.status != dropcap.ExitOK {
			t.Errorf("a backout after it: %v", e)
		}
		r.whole(t)
		return
	}
	if e := r.do(t, applies, ""); e.status != dropcap.ExitOK {
		t.Errorf("an apply after it: %v", e)
	}
	r.whole(t)
}

// A recovery is killed, too, and restarted until it gets through: each time one effect further.
func TestKilledRecoveryRecovers(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	list := shortPoints[2:3]
	if full {
		list = shortPoints
	}
	for i, p := range list {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := s.rig(t, fmt.Sprintf("again%d", i), "always")
			r.ready(t, p.op)
			r.do(t, p.op, p.where+"=kill")
			recovers := operation{name: "recover", args: []string{"recover", "--call-timeout",
				"5s"}}
			kills := 0
			for _, effect := range []string{"look-old", "note-rolling-back", "stop-new",
				"remove-new", "rename-new-back", "rename-old-back", "restore-old", "start-old",
				"remove-backed-out", "note-rolled-back", "note-backed-out", "note-checking",
				"inspect-gate", "note-applied"} {
				cmd := r.command(recovers.args...)
				cmd.Env = append(slices.Clone(r.env), "DROPCAP_FAULT=after:"+effect+"=kill")
				if e := r.wait(t, cmd, recovers.args); e.status == -1 {
					kills++
				}
			}
			if kills == 0 {
				t.Error("no recovery was killed")
			}
			r.recover(t)
			r.whole(t)
		})
	}
}

// The engine is killed at each effect, alone and together with dropcap, and starts again: with
// live-restore, where containers run on, and without, where they are ended at its next start and
// started by their policies.
func TestEngineKilledAnywhereItRecovers(t *testing.T) {
	for _, live := range []bool{true, false} {
		t.Run(fmt.Sprintf("live-restore=%v", live), func(t *testing.T) {
			t.Parallel()
			s := crashStage(t, dockertest.Docker20, dockertest.Config("live-restore", live))
			list := []point{{applies, "before:rename-new"}}
			if full {
				list = everyPoint(t, s, "before")
			}
			for i, p := range list {
				t.Run(p.String()+" both", func(t *testing.T) {
					s.engineKilled(t, p, p.engine(i, live), true)
				})
				if full {
					t.Run(p.String(), func(t *testing.T) {
						s.engineKilled(t, p, p.engine(i, live), false)
					})
				}
			}
		})
	}
}

func (s *stage) engineKilled(t *testing.T, p point, policy string, both bool) {
	r := s.rig(t, "web", policy)
	r.ready(t, p.op)
	cmd, said := r.stopped(t, p.op, p.where)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if both {
		cmd.Process.Kill()
		cmd.Wait()
	} else {
		goOn(cmd)
	}
	if err := s.Revive(); err != nil {
		t.Fatal(err)
	}
	if !both {
		e := r.end(t, cmd, said, p.String())
		if e.status == dropcap.ExitPerson {
			t.Errorf("%v", e)
		}
	}
	r.settle(t)
	r.recover(t)
	r.whole(t)
}

// settle waits until the engine has finished what it does by itself after a start: it restarts
// containers by their policies.
func (r *rig) settle(t *testing.T) {
	t.Helper()
	last, since := "", time.Now()
	dockertest.Eventually(t, time.Minute, "rest after the engine's start", func() bool {
		now := fmt.Sprint(r.list(t))
		if now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > time.Second && !strings.Contains(now, "restarting")
	})
}

// Ctrl-C: the step is finished or rolled back, and dropcap says which, without a recovery.
func TestInterruptedAnywhereItFinishesOrRollsBack(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	list := []point{{applies, "before:start-new"}}
	if full {
		list = everyPoint(t, s, "before")
	}
	for i, p := range list {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := s.rig(t, fmt.Sprintf("int%d", i), p.policy(i))
			r.ready(t, p.op)
			cmd, said := r.stopped(t, p.op, p.where)
			cmd.Process.Signal(os.Interrupt)
			goOn(cmd)
			e := r.end(t, cmd, said, p.String())
			switch {
			case e.status == dropcap.ExitInterrupt && strings.Contains(e.err, "interrupted"):
			case e.status == p.op.status:
			default:
				t.Errorf("%v", e)
			}
			r.whole(t)
			if r.recover(t); len(r.history(t)) > 0 && !r.history(t)[0].State.Over() {
				t.Error("something was left for recover")
			}
			r.whole(t)
		})
	}
}
