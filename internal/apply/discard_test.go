package apply

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
)

// Nobody needs the new container after a backout: it goes, once the old one runs, and its log is
// kept; unless it holds what is nowhere else.
func TestABackoutLeavesNothingBehind(t *testing.T) {
	const data = `[{"Path":"/data","Kind":1}]`
	for _, c := range []struct {
		name, before, after string
		stays               bool
	}{
		{"nothing written", "", "", false},
		{"a lock file in a folder that nobody counts on", "",
			`[{"Path":"/run","Kind":0},{"Path":"/run/pid","Kind":1}]`, false},
		{"data of its own", "", data, true},
		{"data, after it was said that it may be lost", data, data, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, j := stage(t, "always", true)
			if c.before != "" {
				j.Original.Changes = []byte(c.before)
				j.Recipe = reread(t, j.Original)
				j.Carry, s.discards = false, true
			}
			forth(s, j)
			s.written = c.after
			list, _ := s.Changes(t.Context())
			s.log = nil
			o := s.runner().Backout(t.Context(), list[:1])[0]
			if o.Err != nil || o.Change.State != dropcap.BackedOut {
				t.Fatalf("%s: %v", o.Change.State, o.Err)
			}
			if left := len(s.boxes) == 2; left != c.stays ||
				(o.Change.Retained() != "") != c.stays {
				t.Errorf("left: %s; retained: %q", s.names(), o.Change.Retained())
			}
			removed := slices.Index(s.log, "remove-backed-out")
			if !c.stays && (removed < slices.Index(s.log, "start-old") ||
				removed < slices.Index(s.log, "read-log")) {
				t.Errorf("it was removed too early: %s", strings.Join(s.log, " "))
			}
			s.check(t, true)
		})
	}
}

// What a new container has written before it was rolled back is kept, said, and gone with a prune.
func TestARollbackKeepsWhatWasWrittenMeanwhile(t *testing.T) {
	s, j := stage(t, "always", true)
	s.sick, s.written = true, `[{"Path":"/orders","Kind":1}]`
	o := s.runner().Apply(t.Context(), []Job{j}, false)[0]
	if dropcap.ExitOf(o.Err) != dropcap.ExitRolledBack {
		t.Fatalf("%s: %v", o.Change.State, o.Err)
	}
	new := s.boxes[o.Change.After]
	if new == nil || new.running || !new.policy.never() || o.Change.Retained() != new.id {
		t.Fatalf("left: %s; retained: %q", s.names(), o.Change.Retained())
	}
	said := o.Err.Error() + " " + hintOf(o.Err)
	for _, want := range []string{"what the new one has written is kept",
		"docker diff " + new.name, "docker cp " + new.name + ":PATH .", "dropcap prune"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
	if !strings.Contains(o.Change.Because, "its own layer holds /orders") {
		t.Errorf("the journal says: %s", o.Change.Because)
	}
	if looked := slices.Index(s.log, "look-layer"); looked < slices.Index(s.log, "start-old") {
		t.Error("the old one waited until that was found out")
	}
	s.check(t, true)
	s.tick(2 * time.Second)
	list, _ := s.Changes(t.Context())
	p := s.runner().Prune(t.Context(), Prunable(list, s.now))
	if len(p) != 1 || p[0].Err != nil || !p[0].Change.Pruned || len(s.boxes) != 1 {
		t.Errorf("prune: %+v; left: %s", p, s.names())
	}
}

// The new container of a rollback that has written nothing leaves nothing behind but its log.
func TestARollbackLeavesNothingBehind(t *testing.T) {
	s, j := stage(t, "always", true)
	failing(s, j)
	list, _ := s.Changes(t.Context())
	if list[0].State != dropcap.RolledBack || list[0].Retained() != "" || len(s.boxes) != 1 {
		t.Errorf("%s; left: %s", list[0].State, s.names())
	}
	if removed := slices.Index(s.log, "remove-backed-out"); removed < slices.Index(s.log,
		"start-old") || removed < slices.Index(s.log, "read-log") {
		t.Errorf("it was removed too early: %s", strings.Join(s.log, " "))
	}
}
