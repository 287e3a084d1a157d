package render

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func TestHistoryListsHoldsBelowChanges(t *testing.T) {
	c := dropcap.Changes{Changes: []dropcap.Change{{ID: "0123456789ab", Name: "db",
		State: dropcap.Applied}}, Holds: []dropcap.Trial{
		{ID: "ba9876543210", Kind: dropcap.KindHold, Workload: "docker:web\x1b[2J",
			State: dropcap.TrialRunning, Asked: caps.Of(caps.NetRaw), Denied: caps.Of(caps.NetRaw),
			Containers: []string{"a", "b"}, Since: "2026-05-01T12:00:00Z"},
		{ID: "ba9876543211", Kind: dropcap.KindHold, Workload: "docker:old",
			State: dropcap.TrialReleased, Because: "a person released it"}}}
	for _, format := range []string{"table", "wide", "timeline"} {
		var b strings.Builder
		if err := Changes(&b, format, c, Options{Width: 200}); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if strings.Index(text, "0123456789ab") > strings.Index(text, "ba9876543210") ||
			strings.Contains(text, "\x1b") || !strings.Contains(text, "NET_RAW") ||
			!strings.Contains(text, "a person released it") {
			t.Errorf("%s:\n%s", format, text)
		}
	}
	var b strings.Builder
	err := Changes(&b, "table", dropcap.Changes{Holds: c.Holds}, Options{Quiet: true})
	if err != nil ||
		b.String() != "ba9876543210\nba9876543211\n" {
		t.Errorf("quiet: %q, %v", b.String(), err)
	}
	b.Reset()
	if err := HoldTable(&b, dropcap.Trials{}, Options{}); err != nil ||
		b.String() != "Nothing has been held yet.\n" {
		t.Errorf("none: %q, %v", b.String(), err)
	}
}
