package change_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// A request to the engine fails, is never answered, or its answer is lost: each of these, at each
// kind of request that changes something.
func TestEngineThatFailsOrHangsAtEachCall(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	calls := [][2]string{{"POST", "/rename"}}
	kinds := []fault{fails, loses}
	if full {
		calls = [][2]string{{"POST", "/containers/create"}, {"POST", "/stop"}, {"POST", "/rename"},
			{"POST", "/update"}, {"POST", "/start"}, {"DELETE", ""}}
		kinds = faultKinds
	}
	n := 0
	for _, op := range operations {
		for _, call := range calls {
			for _, kind := range kinds {
				n++
				name := fmt.Sprintf("call%d", n)
				t.Run(fmt.Sprintf("%s %s%s %s", op.name, call[0], call[1], kind),
					func(t *testing.T) {
						t.Parallel()
						r := s.rig(t, name, "always")
						r.ready(t, op)
						p := newProxy(t, s.Socket)
						p.once(kind, call[0], call[1])
						e := r.do(t, op, "", "DOCKER_HOST=unix://"+p.socket)
						if !slices.Contains([]int{op.status, dropcap.ExitOK, dropcap.ExitError,
							dropcap.ExitRolledBack}, e.status) {
							t.Errorf("%v", e)
						}
						r.recover(t)
						r.whole(t)
					})
			}
		}
	}
}

// The store's disk is full from some write on. What was begun is completed all the same; once there
// is room, recover records it.
func TestFullDiskAtEachWrite(t *testing.T) {
	testenv.Need(t, testenv.Root)
	s := crashStage(t, dockertest.Docker20)
	list := []point{{applies, "before:note-checking"}}
	if full {
		list = slices.DeleteFunc(everyPoint(t, s, "before"), func(p point) bool {
			return !strings.Contains(p.where, ":note-")
		})
	}
	for i, p := range list {
		t.Run(p.String(), func(t *testing.T) {
			r := s.rig(t, fmt.Sprintf("disk%d", i), "always")
			small := testenv.SmallDisk(t, "2m")
			r.store = filepath.Join(small, "store")
			r.ready(t, p.op)
			cmd, said := r.stopped(t, p.op, p.where)
			ballast := filepath.Join(small, "ballast")
			testenv.Fill(t, ballast)
			goOn(cmd)
			e := r.end(t, cmd, said, p.String())
			if e.status == dropcap.ExitPerson || e.status < 0 {
				t.Errorf("%v", e)
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			r.recover(t)
			r.whole(t)
		})
	}
}

// Somebody else changes the same containers. $NEW is the new one by its temporary name, $OLD the
// old one's id.
func TestSomebodyElseMeddles(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	for i, c := range []struct {
		name, where, does string
		lost              bool // the old container itself was removed, and its layer with it
		renamed           bool
		short             bool
	}{
		{name: "updates the old one before the switch", where: "before:inspect-old",
			does: "docker update --memory 64m --memory-swap 64m $OLD", short: true},
		{name: "restarts the old one before the switch", where: "before:inspect-old",
			does: "docker restart -t 1 $OLD"},
		{name: "renames the old one before the switch", where: "before:inspect-old",
			does: "docker rename $OLD somebodys", renamed: true},
		{name: "removes the new one before the switch", where: "before:note-switching",
			does: "docker rm -f $NEW"},
		{name: "removes the new one in the switch", where: "before:rename-new",
			does: "docker rm -f $NEW", short: true},
		{name: "removes the new one after its start", where: "before:note-checking",
			does: "docker rm -f $NAME"},
		{name: "stops the new one after its start", where: "before:note-checking",
			does: "docker stop -t 1 $NAME"},
		{name: "pauses the new one after its start", where: "before:note-checking",
			does: "docker pause $NAME"},
		{name: "renames the new one in the switch", where: "before:rename-new",
			does: "docker rename $NEW theirs"},
		{name: "starts the old one in the switch", where: "before:rename-old",
			does: "docker start $OLD"},
		{name: "updates the old one in the switch", where: "before:start-new",
			does: "docker update --restart always $OLD"},
		{name: "removes the old one in the switch", where: "before:start-new",
			does: "docker rm -f $OLD", lost: true},
	} {
		if !full && !c.short {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			r := s.rig(t, fmt.Sprintf("meddle%d", i), "unless-stopped")
			cmd, said := r.stopped(t, applies, c.where)
			temporary := s.shell(t,
				fmt.Sprintf(`docker ps -a --filter name='%s-dropcap-.*-new' --format '{{.ID}}'`,
					r.name))
			s.shell(t, fmt.Sprintf("NAME=%s OLD=%s NEW=%s\n%s", r.name, r.old, temporary, c.does))
			goOn(cmd)
			e := r.end(t, cmd, said, c.name)
			if e.status == dropcap.ExitPerson || e.status < 0 {
				t.Errorf("%v", e)
			}
			switch {
			case c.renamed:
				if got := s.shell(t,
					"docker inspect --format '{{.Id}} {{.State.Running}}' somebodys; docker "+
						"rename somebodys "+r.name); got != r.old+" true" {
					t.Errorf("what somebody renamed is now %s", got)
				}
				r.marked(t)
			case c.lost:
				if got := r.file(t, r.name, "/shared/log"); strings.Contains(got, "overlap") {
					t.Errorf("old and new ran at once: %s", got)
				}
				if last := r.history(t)[0]; !last.State.Over() ||
					last.State == dropcap.NeedsPerson {
					t.Errorf("the store says %s", last.State)
				}
			default:
				r.recover(t)
				r.whole(t)
			}
		})
	}
}

// Of two at once, one does its work and the other reports that it cannot.
func TestTwoAtOnce(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	r := s.rig(t, "twice", "always")
	cmd, said := r.stopped(t, applies, "before:rename-old")
	for _, op := range []operation{applies, backsOut,
		{name: "recover", args: []string{"recover"}}} {
		args := slices.Clone(op.args)
		if op.name != "recover" {
			args = append(args, r.name)
		}
		if e := r.dropcap(t, args...); e.status != dropcap.ExitError ||
			!strings.Contains(e.err, "cannot") {
			t.Errorf("beside another: %v", e)
		}
	}
	goOn(cmd)
	if e := r.end(t, cmd, said, "the first"); e.status != dropcap.ExitOK {
		t.Errorf("%v", e)
	}
	r.whole(t)
}

// Two stores know nothing of each other's changes, so the engine is locked for both, whatever
// address they use; another engine is not.
func TestTwoStoresAtOnce(t *testing.T) {
	s, elsewhere := crashStage(t, dockertest.Docker20), crashStage(t, dockertest.Docker20)
	first, other, third := s.rig(t, "first", "always"), s.rig(t, "other", "always"),
		elsewhere.rig(t, "first", "always")
	// with the locks that everybody has
	first.env, other.env, third.env = s.env, s.env, elsewhere.env
	cmd, said := first.stopped(t, applies, "before:rename-old")
	if e := other.do(t, applies, "", "DOCKER_HOST=unix://"+
		newProxy(t, s.Socket).socket); e.status != dropcap.ExitError ||
		!strings.Contains(e.err, "does so already, with another store") {
		t.Errorf("beside another store: %v", e)
	}
	if e := third.do(t, applies, ""); e.status != dropcap.ExitOK {
		t.Errorf("on another engine: %v", e)
	}
	goOn(cmd)
	if e := first.end(t, cmd, said, "the first"); e.status != dropcap.ExitOK {
		t.Errorf("%v", e)
	}
	if e := other.do(t, applies, ""); e.status != dropcap.ExitOK {
		t.Errorf("after the other: %v", e)
	}
	for _, r := range []*rig{first, other, third} {
		r.whole(t)
	}
}
