package apply

import (
	"slices"
	"strings"
	"testing"

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
