package apply

import (
	"strings"
	"testing"

	"dropcap"
)

func TestAStepOfAFileIsTheOnePlannedNowOrRefused(t *testing.T) {
	fresh := dropcap.Step{Container: dropcap.Target{ID: old, Name: "web", Fingerprint: "f"},
		Strategy: dropcap.StrategyRecreate}
	for _, c := range []struct {
		name  string
		filed func(*dropcap.Step)
		why   string
	}{
		{"the same", func(*dropcap.Step) {}, ""},
		{"renamed since", func(s *dropcap.Step) { s.Container.Name = "shop" }, "renamed"},
		{"changed since", func(s *dropcap.Step) { s.Container.Fingerprint = "g" }, "changed"},
		{"without a fingerprint", func(s *dropcap.Step) {
			s.Container.Fingerprint = ""
		}, "without the store"},
		{"another way", func(s *dropcap.Step) {
			s.Strategy = dropcap.StrategyInPlace
		}, "another change"},
		{"privileged by it", func(s *dropcap.Step) { s.After.Privileged = true }, "grant"},
		{"refused in the file", func(s *dropcap.Step) { s.Refused = "so" }, "refuses it: so"},
	} {
		t.Run(c.name, func(t *testing.T) {
			filed := fresh
			c.filed(&filed)
			got := Agreed(filed, fresh, true)
			if (got.Refused == "") != (c.why == "") || !strings.Contains(got.Refused, c.why) {
				t.Errorf("refused: %q, want %q", got.Refused, c.why)
			}
			if got.Container != fresh.Container || got.Strategy != fresh.Strategy ||
				got.After.Privileged {
				t.Errorf("something of the file's got into it: %+v", got)
			}
			if strings.Contains(got.Refused, "shop") {
				t.Errorf("it repeats the file's name: %s", got.Refused)
			}
		})
	}
	if Equal(fresh, func() dropcap.Step { s := fresh; s.Container.Name = "shop"; return s }()) {
		t.Error("a step of a renamed container is the same")
	}
}
