package audit

import (
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/printable"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func host() dropcap.Host {
	defaults, all := caps.DockerDefaults, caps.UpTo(caps.Last)
	return dropcap.Host{Engine: dropcap.Engine{Name: "docker", Version: "29.0.0"},
		Defaults: &defaults, Grantable: &all}
}

// container makes a running one whose processes hold exactly what is granted.
func container(name string, d dropcap.Declared) dropcap.Container {
	h := host()
	set, err := caps.Grants{Defaults: *h.Defaults, All: *h.Grantable}.Predict(d)
	if err != nil {
		panic(err)
	}
	held := set
	return dropcap.Container{
		ID: strings.Repeat("a", 64), Name: name, Image: "app:1", State: "running", PID: 10,
		Workload: "docker:" + name,
		Owner:    dropcap.Owner{Kind: "docker"}, Declared: d, Predicted: &set,
		Kernel: dropcap.Kernel{
			Visible: true, Bounding: &held, Effective: &held,
			Processes: []dropcap.Process{{PIDs: []int{10}, Comm: "app", Origin: dropcap.OriginInit,
				Bounding: held.Mask(), Effective: held.Mask()}},
		},
	}
}

func stopped(name string, d dropcap.Declared) dropcap.Container {
	c := container(name, d)
	c.State, c.PID = "exited", 0
	c.Kernel = dropcap.Kernel{WhyNot: dropcap.NotRunning}
	return c
}

// withExec returns the container a process that came by an exec and holds more.
func withExec(c dropcap.Container, origin string, more caps.Set) dropcap.Container {
	all := *c.Kernel.Bounding | more
	c.Kernel.Bounding = &all
	c.Kernel.Processes = append(c.Kernel.Processes, dropcap.Process{PIDs: []int{77}, Comm: "sh",
		Origin: origin, Bounding: all.Mask()})
	return c
}

func judgeOne(t *testing.T, c dropcap.Container, p dropcap.Policy) dropcap.Judged {
	t.Helper()
	a := Judge(dropcap.Snapshot{Host: host(), Containers: []dropcap.Container{c}},
		Options{Policy: p, Now: now})
	if len(a.Containers) != 1 || a.Summary.Containers != 1 {
		t.Fatalf("judged %d containers, summary %+v; want one", len(a.Containers), a.Summary)
	}
	return a.Containers[0]
}

// told returns the findings as "rule:CAPS" in a row.
func told(j dropcap.Judged) string {
	var l []string
	for _, f := range j.Findings {
		s := string(f.Rule)
		if f.Rule != dropcap.RulePrivileged && f.Rule != dropcap.RuleUnseen {
			s += ":" + f.Caps.Short()
		}
		if f.Waiver != nil {
			s += "(waived)"
		}
		l = append(l, s)
	}
	return strings.Join(l, " ")
}

func TestVerdictAtLevelCIS(t *testing.T) {
	hidden := container("hidden", dropcap.Declared{Drop: []string{"ALL"}})
	hidden.Kernel = dropcap.Kernel{WhyNot: "permission denied"}
	hiddenBad := container("hidden-bad", dropcap.Declared{})
	hiddenBad.Kernel = dropcap.Kernel{WhyNot: "permission denied"}
	unpredicted := stopped("odd", dropcap.Declared{})
	unpredicted.Predicted, unpredicted.WhyNot = nil, "CapAdd: \"CAP_X\" is not a capability"
	empty := container("empty", dropcap.Declared{})
	empty.Kernel.Bounding = nil
	unread := dropcap.Container{ID: "u", Name: "unread", Unread: "it is larger than 8 MiB",
		WhyNot: "it is larger than 8 MiB"}

	for _, x := range []struct {
		c       dropcap.Container
		verdict dropcap.Verdict
		want    string
	}{
		{container("plain", dropcap.Declared{}), dropcap.Fail, "net-raw:NET_RAW"},
		{container("hardened", dropcap.Declared{Drop: []string{"NET_RAW"}}), dropcap.Pass, ""},
		{container("lower", dropcap.Declared{Drop: []string{"cap_net_raw"}}), dropcap.Pass, ""},
		{container("none", dropcap.Declared{Drop: []string{"all"}}), dropcap.Pass, ""},
		{container("bind", dropcap.Declared{Drop: []string{"ALL"},
			Add: []string{"NET_BIND_SERVICE"}}), dropcap.Pass, ""},
		{container("raw-again", dropcap.Declared{Drop: []string{"ALL"}, Add: []string{"NET_RAW"}}),
			dropcap.Fail, "net-raw:NET_RAW"},
		{container("admin", dropcap.Declared{Drop: []string{"NET_RAW"},
			Add: []string{"net_admin"}}), dropcap.Fail, "added:NET_ADMIN"},
		{container("both", dropcap.Declared{Drop: []string{"NET_RAW"}, Add: []string{"NET_RAW"}}),
			dropcap.Fail, "net-raw:NET_RAW inert:NET_RAW"},
		{container("priv", dropcap.Declared{Privileged: true}), dropcap.Fail, "privileged"},
		{container("priv-drop", dropcap.Declared{Privileged: true, Drop: []string{"NET_RAW"}}),
			dropcap.Fail, "privileged inert:NET_RAW"},
		{stopped("exited", dropcap.Declared{}), dropcap.Fail, "net-raw:NET_RAW"},
		{stopped("exited-good", dropcap.Declared{Drop: []string{"NET_RAW"}}), dropcap.Pass, ""},
		{hidden, dropcap.Unknown, "unseen"},
		{hiddenBad, dropcap.Unknown, "net-raw:NET_RAW unseen"},
		{unpredicted, dropcap.Unknown, "unseen"},
		{empty, dropcap.Unknown, "net-raw:NET_RAW unseen"},
		{unread, dropcap.Unknown, "unseen"},
		{
			withExec(container("exec", dropcap.Declared{Drop: []string{"ALL"}}),
				dropcap.OriginExecPrivileged, caps.Of(caps.NetRaw, caps.SysAdmin)),
			dropcap.Fail, "drift:NET_RAW,SYS_ADMIN",
		},
	} {
		t.Run(x.c.Name, func(t *testing.T) {
			j := judgeOne(t, x.c, dropcap.Policy{})
			if got := told(j); got != x.want || j.Verdict != x.verdict {
				t.Errorf("got %s [%s], want %s [%s]", j.Verdict, got, x.verdict, x.want)
			}
			for _, f := range j.Findings {
				if f.Because == "" || f.Fix == "" || f.Severity == "" {
					t.Errorf("finding %s lacks a reason, a fix or a severity: %+v", f.Rule, f)
				}
			}
		})
	}
}

func TestALLAddedNamesEverythingBeyondDefaults(t *testing.T) {
	j := judgeOne(t, container("all", dropcap.Declared{Add: []string{"ALL"}}), dropcap.Policy{})
	got := caps.Set(0)
	for _, f := range j.Findings {
		got |= f.Caps
	}
	want := caps.UpTo(caps.Last).Minus(caps.DockerDefaults) | caps.Of(caps.NetRaw)
	if got != want {
		t.Errorf("findings name %s, want %s", got, want)
	}
}

func TestLeastDemandsSupportForEachCapability(t *testing.T) {
	c := container("web", dropcap.Declared{})
	p := dropcap.Policy{Level: dropcap.LevelLeast,
		Keeps: []dropcap.Keep{{Caps: caps.Of(caps.Chown, caps.Setuid), Reason: "workers"}}}
	j := judgeOne(t, c, p)
	var left caps.Set
	for _, f := range j.Findings {
		left |= f.Caps
	}
	if want := caps.DockerDefaults.Minus(caps.Of(caps.Chown, caps.Setuid)); left != want {
		t.Errorf("findings name %s, want all defaults but the kept: %s", left, want)
	}
}

func TestKeepSatisfiesTheControl(t *testing.T) {
	p := dropcap.Policy{Keeps: []dropcap.Keep{{Containers: dropcap.Selector{Name: "web"},
		Caps: caps.Of(caps.NetRaw), Reason: "ping"}}}
	if j := judgeOne(t, container("web", dropcap.Declared{}), p); j.Verdict != dropcap.Pass {
		t.Errorf("kept NET_RAW still gives %s: %s", j.Verdict, told(j))
	}
	if j := judgeOne(t, container("web2", dropcap.Declared{}), p); j.Verdict != dropcap.Fail {
		t.Errorf("a keep for web must not cover web2")
	}
}

func TestWaiverCoversOnlyWhatItNames(t *testing.T) {
	c := container("vpn", dropcap.Declared{Drop: []string{"NET_RAW"},
		Add: []string{"NET_ADMIN", "SYS_TIME"}})
	w := dropcap.Waiver{Containers: dropcap.Selector{Name: "vpn"}, Caps: caps.Of(caps.NetAdmin),
		Owner: "ops", Reason: "tunnel", Expires: now.Add(time.Hour)}
	j := judgeOne(t, c, dropcap.Policy{Waivers: []dropcap.Waiver{w}})
	if j.Verdict != dropcap.Fail || len(j.Findings) != 2 {
		t.Fatalf("got %s [%s], want fail: SYS_TIME is not waived", j.Verdict, told(j))
	}
	for _, f := range j.Findings {
		if waived := f.Waiver != nil; waived != f.Caps.Has(caps.NetAdmin) || f.Caps.Len() != 1 {
			t.Errorf("finding %s of %s: waived %v", f.Rule, f.Caps, waived)
		}
	}
	w.Caps |= caps.Of(caps.SysTime)
	if j := judgeOne(t, c,
		dropcap.Policy{Waivers: []dropcap.Waiver{w}}); j.Verdict != dropcap.Waived {
		t.Errorf("got %s [%s], want waived", j.Verdict, told(j))
	}
}

func TestExpiredAndUnmatchedWaiversAreFindings(t *testing.T) {
	p := dropcap.Policy{Waivers: []dropcap.Waiver{
		{Containers: dropcap.Selector{Name: "web"}, Caps: caps.Of(caps.NetRaw),
			Expires: now.Add(-time.Second), Line: 3},
		{Containers: dropcap.Selector{Name: "nobody"}, Caps: caps.Of(caps.NetRaw),
			Expires: now.Add(time.Hour), Line: 9},
	}}
	s := dropcap.Snapshot{Host: host(),
		Containers: []dropcap.Container{container("web", dropcap.Declared{})}}
	a := Judge(s, Options{Policy: p, Now: now})
	if len(a.Findings) != 2 || a.Containers[0].Verdict != dropcap.Fail {
		t.Fatalf("got %d findings and %s, want both waivers reported and the container failed",
			len(a.Findings), a.Containers[0].Verdict)
	}
	if a.Status() != dropcap.ExitFindings {
		t.Errorf("status %d, want 3", a.Status())
	}
	if a := Judge(s, Options{Policy: p, Now: now, Partial: true}); len(a.Findings) != 1 {
		t.Errorf("of some containers only, %d waivers are blamed; want the expired one alone",
			len(a.Findings))
	}
}

func TestBaselineFailsOnlyOnWhatIsNew(t *testing.T) {
	s := dropcap.Snapshot{Host: host(),
		Containers: []dropcap.Container{container("web", dropcap.Declared{})}}
	known := func(id string, f dropcap.Finding) bool {
		return id == "docker:web" && f.Rule == dropcap.RuleNetRaw
	}
	if a := Judge(s, Options{Now: now, Known: known}); a.Status() != dropcap.ExitOK ||
		a.Containers[0].Verdict != dropcap.Waived {
		t.Errorf("status %d, verdict %s; want 0, waived", a.Status(), a.Containers[0].Verdict)
	}
	s.Containers[0] = container("web", dropcap.Declared{Add: []string{"SYS_ADMIN"}})
	if a := Judge(s, Options{Now: now, Known: known}); a.Status() != dropcap.ExitFindings {
		t.Errorf("a new finding gives status %d, want 3", a.Status())
	}
}

func TestUnknownIsIncompleteAndFindingsStandAboveIt(t *testing.T) {
	c := container("web", dropcap.Declared{Drop: []string{"ALL"}})
	c.Kernel = dropcap.Kernel{WhyNot: "remote"}
	s := dropcap.Snapshot{Host: host(), Containers: []dropcap.Container{c}}
	if got := Judge(s, Options{Now: now}).Status(); got != dropcap.ExitIncomplete {
		t.Errorf("status %d, want 7", got)
	}
	s.Containers = append(s.Containers, container("bad", dropcap.Declared{}))
	if got := Judge(s, Options{Now: now}).Status(); got != dropcap.ExitFindings {
		t.Errorf("status %d, want 3", got)
	}
}

func TestHostileNamesStayWithinASentence(t *testing.T) {
	c := container("web", dropcap.Declared{})
	c.Image = "x'; rm -rf /\x1b[2J"
	j := judgeOne(t, withExec(c, dropcap.OriginExec, caps.Of(caps.SysAdmin)), dropcap.Policy{})
	for _, f := range j.Findings {
		if strings.ContainsAny(f.Because+f.Fix, "\x1b\n") {
			t.Errorf("control characters in %q %q", f.Because, f.Fix)
		}
	}
	if got := printable.Shell(c.Image); got != `'x'\''; rm -rf /?[2J'` {
		t.Errorf("quoted image is %s", got)
	}
}

func evidenceOf(workload string, needed, held caps.Set) dropcap.WorkloadEvidence {
	w := dropcap.WorkloadEvidence{Workload: workload, Revision: "sha256:r", Held: held,
		Sources: []dropcap.Source{{Container: "c", Since: "s"}}}
	for _, c := range needed.List() {
		w.Needs = append(w.Needs, dropcap.Need{Cap: c, Outcome: dropcap.Granted,
			Class: dropcap.Decisive, Count: 1, Sources: 1, Because: "b"})
	}
	return evidence.Conclude(w)
}

func TestEvidenceSupportsAndAccuses(t *testing.T) {
	c := container("web", dropcap.Declared{})
	s := dropcap.Snapshot{Host: host(), Containers: []dropcap.Container{c,
		container("other", dropcap.Declared{})}}
	e := []dropcap.WorkloadEvidence{evidenceOf("docker:web", caps.Of(caps.Chown, caps.NetRaw),
		caps.DockerDefaults)}
	a := Judge(s, Options{Policy: dropcap.Policy{Level: dropcap.LevelLeast}, Evidence: e, Now: now})
	var left caps.Set
	for _, f := range a.Containers[0].Findings {
		left |= f.Caps
		if f.Rule == dropcap.RuleUnneeded && !strings.Contains(f.Because, "not seen to need") {
			t.Errorf("because %q", f.Because)
		}
	}
	if want := caps.DockerDefaults.Minus(caps.Of(caps.Chown, caps.NetRaw)); left != want {
		t.Errorf("findings name %s, want what evidence does not support: %s", left, want)
	}
	if a.Containers[1].Verdict != dropcap.Fail || told(a.Containers[1]) == told(a.Containers[0]) {
		t.Errorf("evidence of one workload serves another: %s", told(a.Containers[1]))
	}
	if a := Judge(s, Options{Evidence: e, Now: now}); a.Containers[0].Verdict != dropcap.Pass {
		t.Errorf("at level cis a proven need of NET_RAW gives %s", a.Containers[0].Verdict)
	}
	x := Explain(a.Containers[0], a, Options{Evidence: e})
	for _, h := range x.Holds {
		if needed := strings.HasPrefix(h.Evidence, "needed"); needed != (h.Cap == caps.Chown ||
			h.Cap == caps.NetRaw) {
			t.Errorf("%s: %q", h.Cap, h.Evidence)
		}
	}
}

// A waiver may be for the one that could not be read: nobody says then that it picks nothing.
func TestNoWaiverIsBlamedForWhatCouldNotBeRead(t *testing.T) {
	p := dropcap.Policy{Waivers: []dropcap.Waiver{{Containers: dropcap.Selector{Image: "x*"},
		Caps: caps.Of(caps.NetRaw), Expires: time.Now().Add(time.Hour)}}}
	s := dropcap.Snapshot{Containers: []dropcap.Container{container("plain", dropcap.Declared{}),
		{ID: "u", Name: "unread", Unread: "it hangs"}}}
	if a := Judge(s, Options{Policy: p, Now: time.Now()}); len(a.Findings) != 0 ||
		a.Summary.Unknown != 1 {
		t.Errorf("got %+v, %+v", a.Findings, a.Summary)
	}
	s.Containers = s.Containers[:1]
	if a := Judge(s, Options{Policy: p, Now: time.Now()}); len(a.Findings) != 1 {
		t.Errorf("with all read: %+v", a.Findings)
	}
}
