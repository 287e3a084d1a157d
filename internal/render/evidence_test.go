package render

import (
	"strings"
	"testing"

	"dropcap"
)

// A container recorded three times is one container.
func TestEvidenceCountsContainersNotRecordings(t *testing.T) {
	w := dropcap.WorkloadEvidence{Workload: "docker:web", Sources: []dropcap.Source{
		{Container: at(1), StartsWarm: 1, Seconds: 2}, {Container: at(1), Seconds: 3},
		{Container: at(2), Stops: 2, Seconds: 4},
	}}
	none := func(dropcap.WorkloadEvidence) [][2]string { return nil }
	for want, sources := range map[string][]dropcap.Source{
		"2 containers, 1 start, 2 stops, 9 s": w.Sources,
		"1 container, 1 start, 0 stops, 5 s":  w.Sources[:2],
	} {
		var b strings.Builder
		x := w
		x.Sources = sources
		if err := Evidence(&b, dropcap.Evidence{Workloads: []dropcap.WorkloadEvidence{x}}, none,
			Options{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
