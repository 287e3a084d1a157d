package fleet_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/fleet"
)

func box(name, workload, state string, v dropcap.Verdict, list ...dropcap.Finding) dropcap.Judged {
	c := dropcap.Judged{Verdict: v, Findings: list}
	c.ID, c.Name, c.Workload, c.State, c.Image = strings.Repeat("a", 64), name, workload, state,
		"nginx:1"
	held := caps.DockerDefaults
	c.Predicted = &held
	c.Kernel = dropcap.Kernel{Visible: state == "running" && v != dropcap.Unknown, Bounding: &held}
	return c
}

func finding(rule dropcap.Rule, of ...caps.Cap) dropcap.Finding {
	return dropcap.Finding{Rule: rule, Severity: caps.High, Caps: caps.Of(of...),
		Because: "it is so", Fix: "change it"}
}

func auditOf(list ...dropcap.Judged) dropcap.Audit {
	return dropcap.Audit{Schema: dropcap.SchemaAudit, Created: "2026-01-02T03:04:05Z",
		Control: dropcap.CIS(), Containers: list, Summary: dropcap.Count(list)}
}

func raw(t testing.TB, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fleetOf(t testing.TB, verb string, documents map[string]any,
	failures ...dropcap.HostFailure) dropcap.Fleet {
	f := dropcap.Fleet{Schema: dropcap.SchemaFleet, Run: dropcap.FleetRun{ID: "0123456789ab",
		Verb: verb}, Failures: failures}
	for host, v := range documents {
		f.Documents = append(f.Documents, dropcap.HostDocument{Host: labPlace.String() + "/" + host,
			Document: raw(t, v)})
	}
	slices.SortFunc(f.Documents, func(a, b dropcap.HostDocument) int {
		return strings.Compare(a.Host, b.Host)
	})
	return f
}

func TestTheStatusOfTheWholeIsTheWorst(t *testing.T) {
	pass, fails := auditOf(box("a", "", "running", dropcap.Pass)),
		auditOf(box("a", "", "running", dropcap.Fail, finding(dropcap.RuleNetRaw, caps.NetRaw)))
	blind := auditOf(box("a", "", "running", dropcap.Unknown, finding(dropcap.RuleUnseen)))
	change := func(states ...dropcap.ChangeState) dropcap.Changes {
		c := dropcap.Changes{Schema: dropcap.SchemaChange}
		for _, s := range states {
			c.Changes = append(c.Changes, dropcap.Change{State: s})
		}
		return c
	}
	plan := func(steps ...dropcap.Step) dropcap.Plan {
		return dropcap.Plan{Schema: dropcap.SchemaPlan, Steps: steps}
	}
	drops := dropcap.Step{Drop: caps.Of(caps.NetRaw)}
	for _, c := range []struct {
		verb string
		doc  map[string]any
		fail string
		want int
	}{
		{"audit", map[string]any{"i-1": pass, "i-2": pass}, "", 0},
		{"audit", map[string]any{"i-1": pass, "i-2": fails}, "", 3},
		{"audit", map[string]any{"i-1": blind, "i-2": pass}, "", 7},
		{"audit", map[string]any{"i-1": blind, "i-2": fails}, "offline", 3},
		{"audit", map[string]any{"i-1": pass}, "offline", 7},
		{"audit", map[string]any{"i-1": pass, "i-2": plan()}, "", 7},
		{"audit", nil, "denied", 7},
		{"audit", map[string]any{"i-1": fails}, "error", 1},
		{"plan", map[string]any{"i-1": plan()}, "", 0},
		{"plan", map[string]any{"i-1": plan(), "i-2": plan(drops)}, "", 3},
		{"plan", map[string]any{"i-1": plan(dropcap.Step{Drop: drops.Drop, Refused: "no"})}, "", 7},
		{"apply", map[string]any{"i-1": change(dropcap.Applied)}, "", 0},
		{"apply", map[string]any{"i-1": change(dropcap.Applied), "i-2": change(dropcap.RolledBack)},
			"error", 4},
		{"apply", map[string]any{"i-1": change(dropcap.NeedsPerson),
			"i-2": change(dropcap.RolledBack)}, "error", 5},
		{"apply", map[string]any{"i-1": change(dropcap.Switching)}, "", 7},
		{"apply", map[string]any{"i-1": change()}, "rolled-back", 4},
		{"backout", map[string]any{"i-1": change(dropcap.BackedOut)}, "", 0},
		{"backout", map[string]any{"i-1": change(dropcap.Applied)}, "", 7},
		{"history", map[string]any{"i-1": change(dropcap.RolledBack)}, "", 0},
		{"learn", map[string]any{"i-1": dropcap.Evidence{Schema: dropcap.SchemaEvidence}}, "", 0},
	} {
		f := fleetOf(t, c.verb, c.doc)
		if c.fail != "" {
			f.Failures = []dropcap.HostFailure{{Host: "x/y/i-9", Cause: c.fail}}
		}
		if got := fleet.StatusCode(f); got != c.want {
			t.Errorf("%s %v %s: %d, want %d", c.verb, c.doc, c.fail, got, c.want)
		}
	}
	for state, want := range map[dropcap.RunState]int{dropcap.RunDone: 0, dropcap.RunStopped: 7,
		dropcap.RunBackedOut: 4} {
		if got := fleet.StatusCode(dropcap.Fleet{Run: dropcap.FleetRun{Verb: "apply",
			State: state}}); got != want {
			t.Errorf("%s: %d, want %d", state, got, want)
		}
	}
}

func TestOnlyWhatCountsAndDidNotCountBeforeIsNew(t *testing.T) {
	raw, admin := finding(dropcap.RuleNetRaw, caps.NetRaw),
		finding(dropcap.RuleAdded, caps.NetAdmin)
	two := finding(dropcap.RuleAdded, caps.NetAdmin, caps.SysTime)
	waived, left, known := raw, raw, raw
	waived.Waiver, left.Retained, known.Known = &dropcap.Waiver{Owner: "x"}, "0123456789ab", true
	web := func(list ...dropcap.Finding) dropcap.Audit {
		return auditOf(box("web", "compose:shop/web", "running", dropcap.Fail, list...))
	}
	for name, c := range map[string]struct {
		before, after dropcap.Audit
		want          int
	}{
		"the same":           {web(raw), web(raw), 0},
		"fewer capabilities": {web(two), web(admin), 0},
		"more capabilities":  {web(admin), web(two), 1},
		"another rule":       {web(raw), web(raw, admin), 1},
		"was waived":         {web(waived), web(raw), 1},
		"is waived":          {web(), web(waived), 0},
		"was left behind":    {web(left), web(raw), 1},
		"was known":          {web(known), web(raw), 1},
		"unseen":             {web(), web(finding(dropcap.RuleUnseen)), 0},
		"another name": {web(raw),
			auditOf(box("web-2", "compose:shop/web", "running", dropcap.Fail, raw)), 0},
		"another container": {web(raw), auditOf(box("db", "", "running", dropcap.Fail, raw)), 1},
	} {
		if got := fleet.NewFindings(c.before, c.after); len(got) != c.want {
			t.Errorf("%s: %v, want %d", name, got, c.want)
		}
	}
}

func TestContainersThatRanAndDoNotAreNamed(t *testing.T) {
	before := auditOf(box("web", "w", "running", dropcap.Pass),
		box("db", "", "running", dropcap.Pass), box("old", "", "exited", dropcap.Pass),
		box("task.1.x", "swarm:s", "running", dropcap.Pass), box("task.2.x", "swarm:s", "running",
			dropcap.Pass), box("gone", "", "running", dropcap.Pass))
	after := auditOf(box("web", "w", "running", dropcap.Unknown),
		box("web-old", "w", "exited", dropcap.Pass), box("db", "", "restarting", dropcap.Pass),
		box("task.1.y", "swarm:s", "running", dropcap.Pass), box("task.2.x", "swarm:s", "running",
			dropcap.Pass), box("new", "", "exited", dropcap.Pass))
	if got := fleet.NotRunning(before, after); !slices.Equal(got, []string{"db", "gone"}) {
		t.Errorf("%v", got)
	}
	if got := fleet.NotSeen(before, after); !slices.Equal(got, []string{"web"}) {
		t.Errorf("%v", got)
	}
	after.Containers = after.Containers[:4]
	if got := fleet.NotRunning(before, after); !slices.Equal(got,
		[]string{"db", "task.1.x", "gone"}) {
		t.Errorf("%v", got)
	}
}

func record(workload, host string, c caps.Cap) dropcap.WorkloadEvidence {
	s := dropcap.Source{Container: strings.Repeat("b", 64), Since: "2026-01-01T00:00:00Z",
		Until: "2026-01-01T02:00:00Z", Seconds: 7200, StartsCold: 1}
	s.Host.ID = host
	return dropcap.WorkloadEvidence{
		Workload: workload, Revision: "sha256:" + strings.Repeat("c", 64), ImageID: "sha256:" +
			strings.Repeat("d", 64), Held: caps.DockerDefaults,
		Sources: []dropcap.Source{s},
		Needs: []dropcap.Need{{Cap: c, Outcome: dropcap.Granted, Class: dropcap.Decisive,
			Count: 1, Sources: 1, By: []dropcap.By{{Exe: "/bin/x", ExeFrom: "image"}}}},
	}
}

func evidenceOf(list ...dropcap.WorkloadEvidence) dropcap.Evidence {
	return dropcap.Evidence{Schema: dropcap.SchemaEvidence, Workloads: list}
}

func TestEvidenceIsMergedWhereTheWorkloadIsTheSame(t *testing.T) {
	bad := record("docker:web", "m3", caps.Chown)
	bad.Sources = nil
	f := fleetOf(t, "evidence", map[string]any{
		"i-1": evidenceOf(record("compose:shop/web", "m1", caps.Chown),
			record("docker:web", "m1", caps.Kill)),
		"i-2": evidenceOf(record("compose:shop/web", "m2", caps.Setuid),
			record("docker:web", "m2", caps.Kill), record("docker:web", "m1", caps.SysChroot)),
		"i-3": evidenceOf(bad), "i-4": auditOf(),
	})
	ids := map[string]string{"111122223333/us-east-1/i-1": "m1", "111122223333/us-east-1/i-2": "m2"}
	for across, want := range map[bool]int{false: 3, true: 2} {
		e, failures := fleet.MergeEvidence(f, ids, across)
		if len(e.Workloads) != want || len(failures) != 2 {
			t.Fatalf("%d workloads, want %d; failures %v", len(e.Workloads), want, failures)
		}
		if w := e.Workloads[0]; w.Required != caps.Of(caps.Chown, caps.Setuid) ||
			len(w.Sources) != 2 {
			t.Errorf("of %s %s is required, from %d sources", w.Workload, w.Required.Short(),
				len(w.Sources))
		}
		for _, w := range e.Workloads[1:] {
			if w.Required != caps.Of(caps.Kill) {
				t.Errorf("a host speaks for another: %s", w.Required.Short())
			}
		}
	}
}

func TestOnlyWhatNoHostHasIsMissing(t *testing.T) {
	one, two := auditOf(), auditOf()
	one.Missing, two.Missing = []string{"wbe", "db", "?"}, []string{"web", "wbe"}
	f := fleetOf(t, "audit", map[string]any{"i-1": one, "i-2": two, "i-3": evidenceOf()})
	f.Run.Args = []string{"--level=cis", "--container=web", "--container=db", "--container=wbe",
		"--container=wbe"}
	if names, answered := fleet.Missing(f); !slices.Equal(names, []string{"wbe"}) || answered != 2 {
		t.Errorf("%v of %d", names, answered)
	}
	f.Documents = f.Documents[2:]
	if names, answered := fleet.Missing(f); names != nil || answered != 0 {
		t.Errorf("of none that answered: %v of %d", names, answered)
	}
}
