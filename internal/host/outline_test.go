package host

import (
	"testing"

	"dropcap"
)

func TestTheOutlineIsOfTheLatestEvidence(t *testing.T) {
	h := New(Config{Store: t.TempDir() + "/store"})
	record := func(workload, revision, until, level string) dropcap.WorkloadEvidence {
		w := dropcap.WorkloadEvidence{Workload: workload, Revision: revision,
			Sources:    []dropcap.Source{{Until: until, Container: revision}},
			Confidence: dropcap.Confidence{Level: level}}
		w.Sources[0].Host.ID = "h"
		return w
	}
	for _, w := range []dropcap.WorkloadEvidence{
		record("docker:web", "r1", "2026-01-02T00:00:00Z", dropcap.ConfidenceHigh),
		record("docker:web", "r2", "2026-02-02T00:00:00Z", dropcap.ConfidenceLow),
		record("docker:db", "r1", "2026-01-01T00:00:00Z", dropcap.ConfidenceLow),
	} {
		if err := h.Import(t.Context(), dropcap.Evidence{
			Workloads: []dropcap.WorkloadEvidence{w}}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := h.EvidenceOutline(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, w := range list {
		want := map[string]string{"docker:web": "2026-02-02T00:00:00Z",
			"docker:db": "2026-01-01T00:00:00Z"}[w.Workload]
		if w.Sources[0].Until != want || w.Confidence.Level != dropcap.ConfidenceLow {
			t.Errorf("%+v, want %s", w, want)
		}
	}
}
