package render

import (
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

func hardenings() dropcap.Hardenings {
	evil := "docker:\x1b[31mweb\nx"
	return dropcap.Hardenings{Schema: dropcap.SchemaHarden, Hardenings: []dropcap.Hardening{
		{Workload: "docker:db", State: dropcap.HardenTrying, Since: "2026-03-01T11:00:00Z",
			Waiting: "the trial of KILL: 1h of 24h", Next: dropcap.HardenWindow,
			NextAt: "2026-03-02T11:00:00Z", Proposed: caps.Of(caps.Kill),
			Settings: dropcap.UsualHardening(), Containers: []string{"db"}},
		{Workload: evil, State: dropcap.HardenHeldUp, Since: "2026-03-01T11:00:00Z",
			Because: "it was started with --rm\x07", Remedy: "start it without",
			Timeline: []dropcap.Event{{At: "2026-03-01T11:00:00Z", Event: "held-up: \x1b[2J"}}},
	}}
}

func TestHardeningsAreShown(t *testing.T) {
	o := Options{Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	for format, want := range map[string][]string{
		"table": {"WORKLOAD", "docker:db", "trying", "1 hour ago", "KILL",
			"the trial of KILL: 1h of 24h", "window", "in 23h", "it was started with --rm"},
		"timeline": {"docker:db: trying", "would drop KILL", "then       window at 2026-03-02",
			"level least, learn 24h0m0s, trial 24h0m0s, watch 7d", "remedy     start it without",
			"2026-03-01T11:00:00Z  held-up"},
		"json":                               {`"schema": "dropcap.harden/v1"`, `"timeline": []`, `"proposed": [`},
		"{{.Workload}} {{.State}} {{.Drop}}": {"docker:db trying [KILL]"},
	} {
		var b strings.Builder
		if err := Hardenings(&b, format, hardenings(), o); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s lacks %q:\n%s", format, w, b.String())
			}
		}
		if strings.ContainsAny(b.String(), "\x1b\x07") {
			t.Errorf("%s lets control characters pass: %q", format, b.String())
		}
	}
	var b strings.Builder
	if err := Hardenings(&b, "table", dropcap.Hardenings{}, o); err != nil ||
		!strings.Contains(b.String(), "Nothing is being hardened") {
		t.Errorf("%q, %v", b.String(), err)
	}
	if err := CheckHardeningFormat("csv"); err == nil {
		t.Error("csv is accepted")
	}
}
