package render_test

import (
	"bytes"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/render"
)

func TestATrialIsToldWhole(t *testing.T) {
	x := dropcap.Trial{
		ID: "0123456789ab", Name: "web\x1b[31m", Workload: "docker:web", Seconds: 86400,
		Starts: 3, State: dropcap.TrialDone, Because: "its time is over", Lost: 1,
		Asked: caps.Of(caps.Chown, caps.NetRaw, caps.DacOverride),
		Lifted: []dropcap.Lift{{Caps: caps.Of(caps.Chown), Started: true,
			Because: "nginx was denied CHOWN\nat fchownat"}},
		Denials: []dropcap.Need{{Cap: caps.DacOverride, Class: dropcap.Silent, Count: 2,
			Trial: true, Harmless: true,
			By: []dropcap.By{{Exe: "/bin/x", Syscall: "access"}}}},
		Unshown: []dropcap.Unshown{{Cap: caps.Chown, Because: "of what was lifted"},
			{Cap: caps.DacOverride, Because: "access(2) may answer"}},
	}
	doc := dropcap.Trials{Trials: []dropcap.Trial{x}}
	var whole, table bytes.Buffer
	if err := render.Trials(&whole, doc, render.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := render.TrialTable(&table, doc, render.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"tried 24h00m, 3 starts, 2 denied, done", "its time is over",
		"CHOWN: nginx was denied CHOWN", "it had started under the trial",
		"DAC_OVERRIDE, silent, denied 2",
		"1 denied checks are not known", "DAC_OVERRIDE: access(2) may answer",
		"DAC_OVERRIDE,NET_RAW"} {
		if !strings.Contains(whole.String(), want) {
			t.Errorf("no %q in %s", want, whole.String())
		}
	}
	for _, text := range []string{whole.String(), table.String()} {
		if strings.Contains(text, "\x1b") || strings.Contains(text, "of what was lifted") {
			t.Errorf("%q", text)
		}
	}
	if lines := strings.Count(table.String(), "\n"); lines != 2 {
		t.Errorf("a table of %d lines: %s", lines, table.String())
	}
}
