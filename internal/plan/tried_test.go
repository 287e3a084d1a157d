package plan_test

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/plan"
)

// triedWeb is a container of which little was recorded, and that a trial ran a day without all but
// CHOWN.
func triedWeb(change func(*plan.Subject)) plan.Input {
	web := subject(container("web", dropcap.Declared{}))
	e := evidence(web.Container, caps.DockerDefaults, caps.Of(caps.Chown), dropcap.ConfidenceLow)
	e.Sources[0].Seconds = 5
	t := dropcap.Tried{Caps: caps.DockerDefaults.Minus(caps.Of(caps.Chown)), Trial: "0123456789ab",
		Container: web.Container.ID, Seconds: 86400, Starts: 2}
	t.Host.ID = "h1"
	e.Tried = []dropcap.Tried{t}
	if change != nil {
		change(&web)
	}
	return plan.Input{Host: host(), Now: now, Policy: dropcap.Policy{Level: dropcap.LevelLeast},
		Evidence: []dropcap.WorkloadEvidence{e}, Subjects: []plan.Subject{web}}
}

func TestWhatWasTriedIsEnoughForLeast(t *testing.T) {
	s := step(t, triedWeb(nil))
	warnings := strings.Join(s.Warnings, "\n")
	if s.Refused != "" || s.Confidence != dropcap.ConfidenceTried ||
		s.After.Holds != caps.Of(caps.Chown) {
		t.Errorf("refused %q, confidence %s, after %s", s.Refused, s.Confidence, s.After.Holds)
	}
	for _, want := range []string{"its first start was not seen",
		"no trial shows this of DAC_OVERRIDE: access(2)", "no trial shows this of SETPCAP: "} {
		if !strings.Contains(warnings, want) {
			t.Errorf("no warning with %q: %s", want, warnings)
		}
	}
}

func TestWhatWasTriedIsNotEnoughForAFirstStart(t *testing.T) {
	for name, change := range map[string]func(*plan.Subject){
		"its layer goes":   func(s *plan.Subject) { s.FreshLayer = true },
		"a swarm's":        func(s *plan.Subject) { s.Container.Owner.Kind = "swarm" },
		"another revision": func(s *plan.Subject) { s.Container.Revision = "sha256:2" },
	} {
		if s := step(t, triedWeb(change)); !strings.Contains(s.Refused, "cannot rely on") {
			t.Errorf("%s: refused %q, confidence %s", name, s.Refused, s.Confidence)
		}
	}
}
