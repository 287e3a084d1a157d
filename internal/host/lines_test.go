package host

import (
	"errors"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/apply"
)

// A probe that goes on failing is shown once, and again when it comes out otherwise.
func TestARepeatedEffectIsShownWhenItComesOutOtherwise(t *testing.T) {
	var l Lines
	var got []string
	probe := apply.Progress{
		Container: "web", Ended: true, Took: time.Second, Err: errors.New("no answer"),
		Effect: dropcap.Effect{Name: "probe", Says: "probe web", Action: &dropcap.Run{}},
	}
	begins := probe
	begins.Ended = false
	works := probe
	works.Err = nil
	for _, p := range []apply.Progress{begins, probe, begins, probe, begins, works} {
		if line := l.Of(Effect{p}); line != "" {
			got = append(got, line)
		}
	}
	if len(got) != 2 || !strings.HasSuffix(got[0], "failed: no answer") ||
		!strings.HasSuffix(got[1], "1.000 s") {
		t.Errorf("%q", got)
	}
}
