package host

import (
	"context"

	"dropcap"
	"dropcap/internal/store"
)

// EvidenceOutline returns of each workload how sure its latest evidence is, and when it was
// recorded, and nothing else: it takes little memory, whatever the store holds.
func (h *Host) EvidenceOutline(ctx context.Context) ([]dropcap.WorkloadEvidence, error) {
	latest := map[string]dropcap.WorkloadEvidence{}
	err := h.withStore(func(s *store.Store) error {
		return s.EachEvidence(ctx, func(w dropcap.WorkloadEvidence) error {
			var until string
			for _, r := range w.Sources {
				until = max(until, r.Until) // RFC 3339 in UTC: as a text they sort
			}
			if old, ok := latest[w.Workload]; ok && old.Sources[0].Until > until {
				return nil
			}
			latest[w.Workload] = dropcap.WorkloadEvidence{Workload: w.Workload,
				Confidence: dropcap.Confidence{Level: w.Confidence.Level},
				Sources:    []dropcap.Source{{Until: until}}}
			return nil
		})
	})
	list := make([]dropcap.WorkloadEvidence, 0, len(latest))
	for _, w := range latest {
		list = append(list, w)
	}
	return list, err
}
