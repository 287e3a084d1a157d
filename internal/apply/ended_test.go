package apply

import (
	"strings"
	"testing"

	"dropcap"
)

// An inspect of a container that was started again says 0, whatever it ended with.
func TestARestartIsToldWithTheStatusThatTheScriptHadEndedWith(t *testing.T) {
	for _, c := range []struct {
		name  string
		ended []int
		fault fault
		want  string
	}{
		{"once", []int{1}, fault{}, "it restarts by itself (last exit status 1)"},
		{"the last of several", []int{1, 0, 137}, fault{},
			"it restarts by itself (last exit status 137)"},
		{"with 0", []int{0}, fault{}, "it restarts by itself (last exit status 0)"},
		{"and the engine does not say", []int{1}, fault{"before", "events-gate", "error"},
			"it restarts by itself;"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, j := stage(t, "always", true)
			s.ended, s.fault = c.ended, c.fault
			o := s.runner().Apply(t.Context(), []Job{j}, false)[0]
			s.settle(t)
			if o.Change.State != dropcap.RolledBack || o.Err == nil ||
				!strings.Contains(o.Err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", o.Change.State, o.Err, c.want)
			}
			s.check(t, true)
		})
	}
}
