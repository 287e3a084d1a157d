package apply

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
)

// survives runs something that may crash; false if it did.
func survives(do func()) (lived bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(crashed); !ok {
				panic(r)
			}
		}
	}()
	do()
	return true
}

// settle is dropcap started again after a crash, until nothing is left to be recovered.
func (s *scripted) settle(t *testing.T) {
	t.Helper()
	s.down = time.Time{}
	for range 3 {
		if _, err := s.runner().Recover(t.Context()); err != nil {
			t.Fatalf("recover: %v", err)
		}
		s.tick(10 * time.Second) // whatever comes late comes now
	}
}

// check holds the rules that hold whatever happened.
func (s *scripted) check(t *testing.T, ran bool) {
	t.Helper()
	if s.most > 1 {
		t.Errorf("old and new ran at once")
	}
	open, _ := s.Unfinished(t.Context())
	if len(open) > 0 {
		t.Errorf("the journal does not say how it ended: %s", open[0].State)
	}
	web := s.find("web")
	if web == nil && s.fault.how == "rename" {
		// that is for him to say, as long as dropcap has stopped nothing
		web = s.find("somebody-renamed-it")
	}
	if web == nil {
		t.Fatalf("nobody is called web: %s", s.names())
	}
	if web.running != ran {
		t.Errorf("web runs: %v, and before: %v", web.running, ran)
	}
	if !web.policy.same(s.wish) {
		t.Errorf("web's restart policy is %v", web.policy)
	}
	if s.idFile != web.id && s.fault.how != "prune" && s.fault.effect != "write-idfile" &&
		s.fault.effect != "note-applied" && s.full == "" {
		t.Errorf("the id file names %s", s.idFile)
	}
	s.checkLayer(t, web)
	s.checkKept(t, web)
	applied := len(s.changes) > 0 && s.changes[len(s.changes)-1].State == dropcap.Applied
	dropped := strings.Contains(string(s.inspect(web)), "NET_RAW")
	if applied != dropped {
		t.Errorf("the journal says applied: %v, and web has the new declaration: %v", applied,
			dropped)
	}
	for _, b := range s.boxes {
		if b == web {
			continue
		}
		if b.running || b.began && !b.policy.never() {
			t.Errorf("%s could run at the next boot, or does", b.name)
		}
		if !applied && s.written == "" {
			t.Errorf("%s was left behind", b.name)
		}
	}
}

// checkKept holds that a new container which has written what is nowhere else is kept by a
// rollback, and known to the journal, so that prune finds it.
func (s *scripted) checkKept(t *testing.T, web *box) {
	t.Helper()
	if s.written == "" || s.discards || len(s.changes) == 0 {
		return
	}
	last := s.changes[len(s.changes)-1]
	if last.State != dropcap.RolledBack || web.id != old { // else it was carried back into web
		return
	}
	for _, id := range s.removed {
		if id != old {
			t.Errorf("what %s had written went with it", id[60:])
		}
	}
	for _, b := range s.boxes {
		if b != web && b.began && last.Retained() != b.id {
			t.Errorf("%s is kept, and the journal retains %q", b.name, last.Retained())
		}
	}
}

func (s *scripted) names() string {
	var list []string
	for _, b := range s.boxes {
		list = append(list, b.name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// kind is a kind of container.
type kind struct {
	policy string
	ran    bool
}

// kindsFor are the containers that a fault is tried on: all of them in a full run.
func kindsFor(how string) []kind {
	if os.Getenv("DROPCAP_TEST_FULL") != "" {
		var list []kind
		for _, policy := range []string{"", "no", "always", "unless-stopped", "on-failure"} {
			list = append(list, kind{policy, true}, kind{policy, false})
		}
		return list
	}
	switch how {
	case "power", "engine", "both":
		return []kind{{"always", true}, {"no", true}}
	case "crash":
		return []kind{{"always", true}, {"unless-stopped", false}}
	}
	return []kind{{"always", true}}
}

// effectsOf returns the effects of a whole run, each name once.
func effectsOf(t *testing.T, do func(*scripted, Job)) []string {
	t.Helper()
	s, j := stage(t, "always", true)
	do(s, j)
	var list []string
	for _, e := range s.log {
		if !slices.Contains(list, e) {
			list = append(list, e)
		}
	}
	return list
}

func forth(s *scripted, j Job) { s.runner().Apply(s.t.Context(), []Job{j}, false) }

func andBack(s *scripted, j Job) {
	forth(s, j)
	list, _ := s.Changes(s.t.Context())
	if len(list) > 0 && list[0].State == dropcap.Applied {
		s.runner().Backout(s.t.Context(), list[:1])
	}
}

func failing(s *scripted, j Job) {
	s.sick = true
	forth(s, j)
}

// keeping is failing, of a new container that has written into its own layer meanwhile.
func keeping(s *scripted, j Job) {
	s.written = `[{"Path":"/orders","Kind":1}]`
	failing(s, j)
}

// discarding is forth and back of a container whose layer is not carried along.
func discarding(s *scripted, j Job) {
	j.Carry, s.discards = false, true
	andBack(s, j)
}

// byItself reports whether dropcap does an effect itself, and not the engine.
func byItself(effect string) bool {
	return strings.HasPrefix(effect, "note-") || strings.HasPrefix(effect, "carry-") ||
		effect == syncLayer || effect == "look-layer"
}

// Whatever goes wrong at whichever effect, recover leads to exactly one container that owns the
// name, runs as before with the old or the new declaration, and at no time did both run.
func TestWhateverGoesWrongWhereverItDoes(t *testing.T) {
	for _, way := range []struct {
		name string
		do   func(*scripted, Job)
	}{{"forth", forth}, {"failing", failing}, {"back", andBack}, {"discarding", discarding},
		{"keeping", keeping}} {
		effects := effectsOf(t, way.do)
		if len(effects) < 15 {
			t.Fatalf("%s: only %v", way.name, effects)
		}
		for _, effect := range effects {
			for _, how := range []string{"crash", "late", "error", "hang", "power", "engine",
				"both", "prune", "rename"} {
				for _, when := range []string{"before", "after"} {
					if how == "late" && (when == "after" || byItself(effect)) {
						// what is dead does nothing more
						continue
					}
					f := fault{when, effect, how}
					for _, k := range kindsFor(how) {
						t.Run(way.name+" "+f.String()+" "+k.policy+map[bool]string{true: " running",
							false: " created"}[k.ran], func(t *testing.T) {
							strike(t, f, k.policy, k.ran, way.do)
						})
					}
				}
			}
		}
	}
}

func strike(t *testing.T, f fault, policy string, ran bool, do func(*scripted, Job)) {
	s, j := stage(t, policy, ran)
	s.fault = f
	survives(func() { do(s, j) })
	s.sick = false
	open, _ := s.Unfinished(t.Context())
	s.settle(t)
	if f.how == "prune" && s.find("web") == nil && len(s.boxes) == 0 && !ran {
		// somebody removed a container that did not run, before dropcap had done anything to it
		return
	}
	if f.how == "power" || f.how == "engine" || f.how == "both" {
		// What was not dropcap's to stop is as the engine's boot has left it.
		ran = ran && s.find("web") != nil && (s.find("web").running || s.touched() && len(open) > 0)
	}
	s.check(t, ran)
}

// touched reports whether the latest change has stopped anything.
func (s *scripted) touched() bool {
	return len(s.changes) > 0 && slices.ContainsFunc(s.changes[len(s.changes)-1].Timeline,
		func(e dropcap.Event) bool {
			return e.Event == "note-switching"
		})
}
