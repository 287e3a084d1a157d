package fleet

import (
	"strings"
	"testing"
	"time"

	"dropcap"
)

func TestARunOfWhichSomethingMayBeDoneIsKept(t *testing.T) {
	run := func(id, verb, of string, state dropcap.RunState, ended string) dropcap.FleetRun {
		return dropcap.FleetRun{ID: id, Verb: verb, Of: of, State: state,
			Started: "2026-01-01T00:00:00Z", Ended: ended}
	}
	const old, young = "2026-01-02T00:00:00Z", "2026-03-01T00:00:00Z"
	runs := []dropcap.FleetRun{
		run("audit", "audit", "", dropcap.RunDone, old),
		run("young", "audit", "", dropcap.RunDone, young),
		run("plan", "plan", "", dropcap.RunDone, old),
		run("going", "learn", "", dropcap.RunGoing, ""),
		run("applied", "apply", "plan", dropcap.RunDone, old), run("its-audit", "audit", "applied",
			dropcap.RunDone, old),
		run("stopped", "apply", "plan", dropcap.RunStopped, old),
		run("taken", "apply", "young-plan", dropcap.RunBackedOut, old),
		run("its-backout", "backout", "taken", dropcap.RunDone, old),
		run("young-plan", "plan", "", dropcap.RunDone, young),
		run("half", "apply", "plan", dropcap.RunStopped, old), run("half-back", "backout", "half",
			dropcap.RunDone, old),
		run("at-work", "apply", "", dropcap.RunGoing, ""), run("its-before", "audit", "at-work",
			dropcap.RunDone, old),
		run("late", "apply", "", dropcap.RunBackedOut, young), run("late-audit", "audit", "late",
			dropcap.RunDone, old),
	}
	for all, want := range map[bool]string{
		false: "audit plan taken its-backout",
		true:  "audit plan going applied its-audit stopped taken its-backout half half-back",
	} {
		var got []string
		for _, r := range Prunable(runs, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), all,
			map[string]bool{"at-work": true}) {
			got = append(got, r.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("all %v: %s, want %s", all, got, want)
		}
	}
}
