package render

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/audit"
)

// What a hold denies is a state of its own in every format, and never a pass.
func TestEveryFormatSaysThatAHoldMitigates(t *testing.T) {
	held := caps.DockerDefaults
	c := dropcap.Container{ID: strings.Repeat("a", 64), Name: "web", Image: "app:1",
		State: "running", PID: 10, Workload: "docker:web", Owner: dropcap.Owner{Kind: "docker"},
		Predicted: &held, Kernel: dropcap.Kernel{Visible: true, Held: &held, Bounding: &held},
		HeldBack: &dropcap.HeldBack{Hold: "0123456789ab", Caps: caps.Of(caps.NetRaw),
			Since: "2026-06-30T08:00:00Z", Until: "2026-12-01T00:00:00Z"}}
	a := audit.Judge(dropcap.Snapshot{Schema: dropcap.SchemaSnapshot,
		Containers: []dropcap.Container{c}}, audit.Options{Now: seenAt})
	if a.Summary.Mitigated != 1 || a.Summary.Pass+a.Summary.Fail != 0 {
		t.Fatalf("summary %+v", a.Summary)
	}
	const says = "held back since 2026-06-30 08:00, by hold 0123456789ab, until 2026-12-01 00:00"
	for _, format := range []string{"table", "json", "csv", "sarif", "junit", "markdown", "html"} {
		got := write(t, format, a, Options{})
		if !strings.Contains(strings.Join(strings.Fields(got), " "), says) {
			t.Errorf("%s does not say that it is held back:\n%s", format, got)
		}
		if format != "sarif" && format != "junit" && !strings.Contains(got, "mitigated") {
			t.Errorf("%s does not say mitigated:\n%s", format, got)
		}
	}
	if got := write(t, "junit", a, Options{}); !strings.Contains(got, `failures="1"`) {
		t.Errorf("junit counts no failure:\n%s", got)
	}
	if got := write(t, "{{.Verdict}}", a, Options{}); got != "mitigated\n" {
		t.Errorf("a template says %q", got)
	}
}
