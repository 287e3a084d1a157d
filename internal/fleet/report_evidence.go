package fleet

import (
	"fmt"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/foreign"
	"dropcap/internal/owner"
)

// MergeEvidence merges the hosts' evidence, per workload and revision, so that it shows what all of
// them need and how they differ. A workload of compose, swarm or ECS is named by its project, and
// is the same on every host; containers that merely share a name are merged over hosts only if
// across, which an operator asks for, and else stay separate.
//
// The documents are not trusted: each is imported like a foreign file, and a host speaks only for
// itself: ids are the hosts' own ids (ReceiptHost.ID) by "account/region/node", and a record of
// another host that answered too is left out.
func MergeEvidence(f dropcap.Fleet, ids map[string]string,
	across bool) (dropcap.Evidence, []dropcap.HostFailure) {
	list, failures := OwnEvidence(f, ids)
	var same, named []dropcap.WorkloadEvidence
	for _, w := range list {
		if owner.AcrossHosts(w.Workload) {
			same = append(same, w)
		} else {
			named = append(named, w)
		}
	}
	merged := append(evidence.Merge(same, evidence.AcrossHosts), evidence.Merge(named, across)...)
	return dropcap.Evidence{Schema: dropcap.SchemaEvidence, Workloads: merged}, failures
}

// OwnEvidence returns each host's evidence without records of another host that also answered. The
// failures are the run's, and unreadable documents.
func OwnEvidence(f dropcap.Fleet,
	ids map[string]string) (list []dropcap.WorkloadEvidence, failures []dropcap.HostFailure) {
	failures = append([]dropcap.HostFailure{}, f.Failures...)
	answered := speakers(f, ids)
	for _, d := range f.Documents {
		e, err := importHost(d)
		if err != nil {
			failures = append(failures, foreign.Unreadable(d.Host, err))
			continue
		}
		for _, w := range e.Workloads {
			if !impersonates(w, d.Host, answered) {
				list = append(list, w)
			}
		}
	}
	return list, failures
}

// speakers returns the host of each id. An id that several hosts share, such as clones of one
// image, belongs to none.
func speakers(f dropcap.Fleet, ids map[string]string) map[string]string {
	answered, times := map[string]string{}, map[string]int{}
	for _, d := range f.Documents {
		if id := ids[d.Host]; id != "" {
			answered[id] = d.Host
			times[id]++
		}
	}
	for id, n := range times {
		if n > 1 {
			delete(answered, id)
		}
	}
	return answered
}

func importHost(d dropcap.HostDocument) (dropcap.Evidence, error) {
	d.Document, d.Packed = foreign.Raw(d), nil
	if err := foreign.Check(d, dropcap.SchemaEvidence); err != nil {
		return dropcap.Evidence{}, err
	}
	e, err := evidence.Import(d.Document)
	if err != nil {
		return e, fmt.Errorf("its evidence is refused: %w", err)
	}
	return e, nil
}

// impersonates reports whether a host speaks for another that answered itself.
func impersonates(w dropcap.WorkloadEvidence, host string, answered map[string]string) bool {
	for _, s := range w.Sources {
		if of, ok := answered[s.Host.ID]; ok && of != host {
			return true
		}
	}
	return false
}
