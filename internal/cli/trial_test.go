package cli

import (
	"testing"

	"dropcap"
	"dropcap/caps"
)

func TestTheStatusOfTrials(t *testing.T) {
	done := dropcap.Trial{State: dropcap.TrialDone}
	lifted := dropcap.Trial{Lifted: []dropcap.Lift{{Caps: caps.Of(caps.Kill)}}}
	for _, x := range []struct {
		trials     []dropcap.Trial
		incomplete bool
		want       int
	}{
		{[]dropcap.Trial{done}, false, dropcap.ExitOK},
		{[]dropcap.Trial{done}, true, dropcap.ExitIncomplete},
		{[]dropcap.Trial{done, lifted}, false, dropcap.ExitFindings},
		{[]dropcap.Trial{lifted}, true, dropcap.ExitFindings},
	} {
		if got := trialStatus(dropcap.Trials{Trials: x.trials}, x.incomplete); got != x.want {
			t.Errorf("%+v: %d, want %d", x, got, x.want)
		}
	}
}

func TestWhatTrialRefusesToRead(t *testing.T) {
	for _, args := range [][]string{
		{"trial"}, {"trial", "web", "--for", "0s"}, {"trial", "web", "--drop", "NO_SUCH"},
		{"trial", "web", "--drop", "KILL", "--level", "least"}, {"trial", "--list", "--stop"},
		{"trial", "web", "--format", "xml"}, {"trial", "web", "--probe", "'open"},
		{"trial", "web", "--probe-every", "-1s"},
	} {
		if status := Main(args, nil, discard{}, discard{}); status != dropcap.ExitUsage {
			t.Errorf("%v: status %d", args, status)
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
