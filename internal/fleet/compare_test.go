package fleet

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func TestWorse(t *testing.T) {
	web := func(state string, findings ...dropcap.Finding) dropcap.Audit {
		return dropcap.Audit{Containers: []dropcap.Judged{{Container: dropcap.Container{Name: "web",
			Workload: "docker:web", State: state}, Findings: findings}}}
	}
	raw := dropcap.Finding{Rule: dropcap.RuleNetRaw, Caps: caps.Of(caps.NetRaw)}
	drift := dropcap.Finding{Rule: dropcap.RuleDrift, Caps: caps.Of(caps.NetRaw)}
	for name, tt := range map[string]struct {
		before, after dropcap.Audit
		want          string
	}{
		"a finding that goes": {web("running", raw), web("running"), ""},
		"one that stays":      {web("running", raw), web("running", raw), ""},
		"one of another rule": {web("running", raw), web("running", raw, drift),
			"a new finding: web: drift"},
		"it was stopped and is": {web("exited"), web("exited"), ""},
		"it ran and does not": {web("running"), web("exited"),
			"web does not run any more"},
		"it ran and is not there": {web("running"), dropcap.Audit{},
			"web does not run any more"},
		"a name that moves a terminal": {dropcap.Audit{},
			dropcap.Audit{Containers: []dropcap.Judged{{
				Container: dropcap.Container{Name: "\x1b[2J"}, Findings: []dropcap.Finding{raw},
			}}}, "a new finding: ?[2J: net-raw"},
		"a container that came meanwhile": {web("running"),
			dropcap.Audit{Containers: append(web("running").Containers,
				dropcap.Judged{Container: dropcap.Container{Name: "new", State: "running"}})}, ""},
	} {
		if got := worse(tt.before, tt.after); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestAWaveWhoseHostsAreWorseAfterwardsStopsTheRun(t *testing.T) {
	s := newStage(2)
	for _, m := range s.machines {
		m.audit = `{"schema":"dropcap.audit/v1","containers":[{"name":"web","state":"running"}]}`
		m.after = `{"schema":"dropcap.audit/v1","containers":[{"name":"web","state":"exited"}]}`
	}
	run, _ := s.do(t, dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{Waves: []string{"1"}, AutoBackout: true}})
	if run.State != dropcap.RunBackedOut ||
		!strings.Contains(run.Because, "web does not run any more") {
		t.Errorf("%s: %s", run.State, run.Because)
	}
}
