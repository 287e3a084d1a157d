package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

func samplePlan() dropcap.Plan {
	defaults := caps.DockerDefaults
	all := dropcap.Step{
		Container: dropcap.Target{ID: strings.Repeat("a1", 32), Name: "web", Fingerprint: "f1"},
		Workload:  "compose:shop/web",
		Owner:     dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"},
		Strategy:  dropcap.StrategySource,
		Before: dropcap.Grant{CapAdd: []string{"net_admin"},
			Holds: defaults | caps.Of(caps.NetAdmin)},
		After: dropcap.Grant{CapDrop: []string{"CAP_NET_RAW"},
			Holds: defaults.Minus(caps.Of(caps.NetRaw))},
		Drop: caps.Of(caps.NetRaw, caps.NetAdmin), Confidence: "high",
		Promise: "the owner makes it again", Downtime: "its own stop and start",
		Retained: []dropcap.Retain{{Cap: caps.Chown, Because: "evidence: seen"},
			{Cap: caps.Kill, Because: "policy: x"}, {Cap: caps.Setuid, Because: "evidence: seen"}},
		Warnings: []string{"logs start afresh"}, DependsOn: []string{strings.Repeat("b2", 32)},
		Commands: dropcap.Commands{Source: "--- a/compose.yaml\n+++ b/compose.yaml\n+    " +
			"cap_drop: [NET_RAW]", Apply: "docker run \\\n  app", Backout: "docker start web"},
	}
	evil := dropcap.Step{
		Container: dropcap.Target{ID: strings.Repeat("b2", 32), Name: "evil\x1b[31m\u202e"},
		Owner:     dropcap.Owner{Kind: "docker"}, Strategy: dropcap.StrategyManual,
		Before: dropcap.Grant{Privileged: true, Holds: caps.UpTo(caps.Last)},
		After:  dropcap.Grant{CapDrop: []string{"ALL"}, CapAdd: []string{"x\x1b]0;"}},
		Drop:   caps.UpTo(caps.Last), Refused: "cannot change it: \r\nno", Hint: "a\x00b",
		Warnings: []string{"w\x1b"}, Commands: dropcap.Commands{Apply: "docker run 'a\x1b'"},
	}
	fine := dropcap.Step{
		Container: dropcap.Target{ID: strings.Repeat("c3", 32), Name: "fine"},
		Owner:     dropcap.Owner{Kind: "docker"}, Strategy: dropcap.StrategyRecreate,
		Before: dropcap.Grant{Holds: caps.Of(caps.Kill)},
		After:  dropcap.Grant{Holds: caps.Of(caps.Kill)},
	}
	return dropcap.Plan{
		Schema: dropcap.SchemaPlan, ID: "0123456789ab", Created: "2026-07-01T12:00:00Z",
		Host:   dropcap.Host{ID: "h", Defaults: &defaults},
		Policy: dropcap.PolicyRef{Level: dropcap.LevelCIS}, Steps: []dropcap.Step{all, evil, fine},
	}
}

func planAs(t *testing.T, format string, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Plan(&b, format, samplePlan(), o); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return b.String()
}

func TestPlanGoldens(t *testing.T) {
	for _, c := range []struct {
		file, format string
		o            Options
	}{
		{"plan.txt", "text", Options{Details: true}},
		{"plan-60.txt", "text", Options{Width: 60, Details: true}},
		{"plan-color.txt", "text", Options{Color: true, Width: 100, Details: true}},
		{"plan-overview.txt", "text", Options{Width: 100}},
		{"plan-table.txt", "table", Options{Width: 90}},
		{"plan-wide.txt", "wide", Options{NoTrunc: true}},
		{"plan-quiet.txt", "text", Options{Quiet: true}},
		{"plan.json", "json", Options{}},
		{"plan-template.txt",
			`table {{.ID}}\t{{.Name}}\t{{.Owner}}\t{{.Strategy}}\t{{join .Drop ","}}\t{{.Becomes}}\t{{.CapDrop}}\t{{.DependsOn}}`, Options{}},
		{"plan-template-json.txt", `{{json .}} {{json .Retained}}`, Options{}},
	} {
		t.Run(c.file, func(t *testing.T) {
			got := planAs(t, c.format, c.o)
			golden(t, c.file, got)
			plain := strings.NewReplacer("\n", "", "\x1b[31m", "", "\x1b[1m", "", "\x1b[2m", "",
				"\x1b[33m", "", "\x1b[32m", "", "\x1b[0m", "", "\x1b[1;31m", "").Replace(got)
			if c.file != "plan-color.txt" {
				plain = strings.ReplaceAll(got, "\n", "")
			}
			if strings.ContainsAny(plain, "\x1b\x00\r\u202e") {
				t.Errorf("what a container calls itself reaches the terminal: %q", plain)
			}
		})
	}
}

func TestThePlansJSONIsReadAgain(t *testing.T) {
	var back dropcap.Plan
	if err := json.Unmarshal([]byte(planAs(t, "json", Options{})), &back); err != nil {
		t.Fatal(err)
	}
	if back.Steps[1].Container.Name != samplePlan().Steps[1].Container.Name ||
		back.Steps[2].Retained == nil || back.Steps[0].After.CapAdd == nil {
		t.Errorf("it became %+v", back.Steps)
	}
}

func TestBadFormatsOfPlansAndChangesAreUsage(t *testing.T) {
	for _, bad := range []string{"yaml", "{{.Nope}}", "{{", "{{range .Retained}}{{.Nope}}{{end}}"} {
		if err := CheckPlanFormat(bad); dropcap.ExitOf(err) != dropcap.ExitUsage {
			t.Errorf("plan %q: %v", bad, err)
		}
		if err := CheckChangeFormat(bad); !strings.Contains(bad, "Retained") &&
			dropcap.ExitOf(err) != dropcap.ExitUsage {
			t.Errorf("history %q: %v", bad, err)
		}
	}
	err := CheckPlanFormat("{{.Nope}}")
	if e, ok := err.(*dropcap.Error); !ok || !strings.Contains(e.Hint, ".Strategy") {
		t.Errorf("the hint does not list a step's fields: %v", err)
	}
	err = CheckChangeFormat("{{.Nope}}")
	if e, ok := err.(*dropcap.Error); !ok || !strings.Contains(e.Hint, ".Timeline") {
		t.Errorf("the hint does not list a change's fields: %v", err)
	}
}

func sampleChanges() dropcap.Changes {
	was, is := caps.DockerDefaults, caps.DockerDefaults.Minus(caps.Of(caps.NetRaw))
	return dropcap.Changes{Schema: dropcap.SchemaChange, Changes: []dropcap.Change{
		{ID: "1f0c5a9e77b2", Plan: "0123456789ab", Workload: "docker:web", Name: "web",
			Strategy: dropcap.StrategyRecreate, Before: strings.Repeat("a1", 32),
			After: strings.Repeat("b2", 32), Was: dropcap.Grant{Holds: was},
			Is: dropcap.Grant{CapDrop: []string{"CAP_NET_RAW"}, Holds: is}, State: dropcap.Applied,
			Started: "2026-07-01T11:59:18.5Z", Ended: "2026-07-01T11:59:20Z", DowntimeMS: 312,
			Pruned: true,
			Timeline: []dropcap.Event{{At: "2026-07-01T11:59:18.5Z", Event: "note-begin"},
				{At: "2026-07-01T11:59:18.812345Z", Event: "stop-old"},
				{At: "bad\x1b", Event: "odd\x1b"}}},
		{ID: "2f0c5a9e77b2", Name: "evil\x1b", State: dropcap.NeedsPerson,
			Because: "the engine says \x1b no", Started: "2026-06-01T00:00:00Z",
			DowntimeMS: 75_000},
		{ID: "3f0c5a9e77b2", Name: "db", State: dropcap.Switching, Started: "nonsense"},
	}}
}

func TestChangeGoldens(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		file, format string
		o            Options
	}{
		{"history.txt", "table", Options{Now: now}},
		{"history-wide.txt", "wide", Options{NoTrunc: true, Now: now}},
		{"history-timeline.txt", "timeline", Options{Now: now}},
		{"history-quiet.txt", "table", Options{Quiet: true}},
		{"history.json", "json", Options{}},
		{"history-template.txt", `table {{.ID}}\t{{.State}}\t{{.DowntimeMS}}\t{{.Dropped}}`,
			Options{}},
	} {
		t.Run(c.file, func(t *testing.T) {
			var b bytes.Buffer
			if err := Changes(&b, c.format, sampleChanges(), c.o); err != nil {
				t.Fatal(err)
			}
			golden(t, c.file, b.String())
			if strings.Contains(b.String(), "\x1b") {
				t.Errorf("what a container calls itself reaches the terminal: %q", b.String())
			}
		})
	}
	var b bytes.Buffer
	if err := Changes(&b, "table", dropcap.Changes{}, Options{}); err != nil ||
		b.String() != "Nothing has been changed yet.\n" {
		t.Errorf("without changes it says %q, %v", b.String(), err)
	}
}

// A plan of forty containers begins with a row for each, and states each reason to refuse once.
func TestAPlanOfManyIsARowEach(t *testing.T) {
	p := samplePlan()
	p.Steps = nil
	for i := range 40 {
		s := dropcap.Step{Container: dropcap.Target{ID: at(i), Name: fmt.Sprintf("c%02d", i)},
			Strategy: dropcap.StrategyRecreate, Drop: caps.Of(caps.NetRaw),
			Warnings: []string{"logs start afresh"}}
		switch {
		case i < 30:
			s.Refused = "cannot tell what it needs: there is no evidence"
			s.Refusals = []dropcap.Refusal{{Slug: "no-evidence", Message: s.Refused,
				Hint: "`dropcap learn " + s.Container.Name + "` records that"}}
		case i < 35:
			s.Refused = "cannot change " + s.Container.Name + ": it is paused"
			s.Refusals = []dropcap.Refusal{{Slug: "paused", Message: s.Refused}}
		}
		p.Steps = append(p.Steps, s)
	}
	var b bytes.Buffer
	if err := Plan(&b, "text", p, Options{Width: 100}); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	if n := strings.Count(got, "\n"); n > 40+25 {
		t.Errorf("%d lines for forty containers:\n%s", n, got)
	}
	for _, want := range []string{"\nNAME  OUTCOME  DROPS    STRATEGY  CONFIDENCE  WHY\nc35   " +
		"change   NET_RAW",
		"\nc00   refused  NET_RAW  recreate  -           no-evidence\n",
		"\nrefused no-evidence: 30 containers\n",
		"    cannot tell what it needs: there is no evidence\n    hint: `dropcap learn --for 1h` " +
			"records all of them; restart each once meanwhile. Of one alone:\n    `dropcap " +
			"learn c00` records that\n",
		"\nrefused paused: 5 containers\n    c30, c31, c32, c33, c34\n    for example: cannot " +
			"change c30: it is paused\n",
		"\nwarnings\n  - logs start afresh (c35, c36, c37, c38, c39)\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
}
