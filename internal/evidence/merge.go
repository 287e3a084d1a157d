package evidence

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"dropcap"
)

// The values of Merge's across.
const (
	// keeps hosts apart: containers of one name on two hosts need not be the same
	ByHost      = false
	AcrossHosts = true // merges all hosts' evidence; only if a person asked for it
)

// Merge combines the evidence of restarts, replicas and re-creations: everything of one workload,
// revision and image, and of one host unless across. The result depends only on the set of inputs,
// not on order or repetition.
//
// A record is the evidence of one source (host, container, since), as Build creates it. Of several
// records of the same source the latest counts, since it continues the others. Store records, and
// merge them for display. Merged evidence can be merged again; if its sources partly overlap with
// others, the needs' support is right, and their counts are the larger ones instead of sums.
func Merge(list []dropcap.WorkloadEvidence, across bool) []dropcap.WorkloadEvidence {
	groups := map[[4]string][]dropcap.WorkloadEvidence{}
	for _, w := range list {
		k := [4]string{w.Workload, w.Revision, w.ImageID}
		if !across {
			k[3] = hosts(w)
		}
		groups[k] = append(groups[k], w)
	}
	out := make([]dropcap.WorkloadEvidence, 0, len(groups))
	for _, g := range groups {
		out = append(out, mergeGroup(g))
	}
	slices.SortFunc(out, func(a, b dropcap.WorkloadEvidence) int {
		return cmp.Or(strings.Compare(a.Workload, b.Workload),
			strings.Compare(a.Revision, b.Revision), strings.Compare(a.ImageID, b.ImageID),
			strings.Compare(hosts(a), hosts(b)))
	})
	return out
}

// hosts returns the hosts of a record, sorted.
func hosts(w dropcap.WorkloadEvidence) string {
	var l []string
	for _, s := range w.Sources {
		l = append(l, s.Host.ID)
	}
	slices.Sort(l)
	return strings.Join(slices.Compact(l), "\x00")
}

// mergeGroup merges evidence of one workload and revision.
func mergeGroup(list []dropcap.WorkloadEvidence) dropcap.WorkloadEvidence {
	order(list)
	out := dropcap.WorkloadEvidence{Workload: list[0].Workload, Revision: list[0].Revision,
		ImageID: list[0].ImageID}
	sources := map[string]dropcap.Source{}
	t := newTally()
	for _, w := range list {
		known, later := known(sources, w.Sources)
		switch {
		case known == len(w.Sources) && !later && known > 0:
			t.approved(w.Needs)
			out.Tried = joinTried(out.Tried, w.Tried)
			continue // everything else in it is already merged
		case known > 0:
			t.overlap(w.Needs, len(w.Sources)-known)
		default:
			for _, n := range w.Needs {
				t.add(n)
			}
		}
		out.Held |= w.Held
		out.Tried = joinTried(out.Tried, w.Tried)
		for _, s := range w.Sources {
			if have, ok := sources[sourceKey(s)]; !ok || before(have.Until, s.Until) {
				sources[sourceKey(s)] = s
			}
		}
	}
	for _, s := range sources {
		out.Sources = append(out.Sources, s)
	}
	slices.SortFunc(out.Sources, func(a, b dropcap.Source) int {
		return strings.Compare(sourceKey(a), sourceKey(b))
	})
	out.Needs = t.needs(0)
	return Conclude(out)
}

// known returns how many of the sources are already merged, and whether one of them continues
// longer than what is merged.
func known(have map[string]dropcap.Source, list []dropcap.Source) (n int, later bool) {
	for _, s := range list {
		if h, ok := have[sourceKey(s)]; ok {
			n++
			later = later || before(h.Until, s.Until)
		}
	}
	return n, later
}

// overlap adds needs that are counted already to an unknown extent: counts become the larger of
// both, and at most fresh sources are added.
func (t *tally) overlap(needs []dropcap.Need, fresh int) {
	for _, n := range needs {
		have := t.by[keyOf(n)]
		if have == nil {
			t.add(n)
			continue
		}
		most, sources := max(have.Count, n.Count),
			max(have.Sources, min(n.Sources, have.Sources+fresh))
		by := larger(have.By, n.By)
		t.add(n)
		have.Count, have.Sources, have.By = most, sources, by
	}
}

// approved carries over an operator's approvals from an earlier record: a later one of the same
// source comes from a recording, which has none.
func (t *tally) approved(needs []dropcap.Need) {
	for _, n := range needs {
		if have := t.by[keyOf(n)]; have != nil && n.Approved {
			have.Approved = true
		}
	}
}

// larger returns each entry once, with the larger count.
func larger(a, b []dropcap.By) []dropcap.By {
	counts := map[dropcap.By]uint64{}
	for _, x := range append(slices.Clone(a), b...) {
		n := x.Count
		x.Count = 0
		counts[x] = max(counts[x], n)
	}
	out := make([]dropcap.By, 0, len(counts))
	for x, n := range counts {
		x.Count = n
		out = append(out, x)
	}
	return out
}

// order sorts evidence that covers more before evidence that covers less, and of the same sources
// the latest first, so that whatever is already covered can be skipped. The documents' text breaks
// ties, so the order of the input never matters.
func order(list []dropcap.WorkloadEvidence) {
	text := map[int]string{}
	index := make([]int, len(list))
	for i, w := range list {
		b, _ := json.Marshal(w) // plain values: cannot fail
		text[i], index[i] = string(b), i
	}
	slices.SortFunc(index, func(i, j int) int {
		a, b := list[i], list[j]
		return cmp.Or(-cmp.Compare(len(a.Sources), len(b.Sources)),
			-strings.Compare(last(a), last(b)), -cmp.Compare(seconds(a), seconds(b)),
			strings.Compare(text[i], text[j]))
	})
	sorted := make([]dropcap.WorkloadEvidence, len(list))
	for to, from := range index {
		sorted[to] = list[from]
	}
	copy(list, sorted)
}

// last returns the end of the latest source, as a text that sorts.
func last(w dropcap.WorkloadEvidence) string {
	until := ""
	for _, s := range w.Sources {
		until = later(until, normal(s.Until))
	}
	return until
}

func seconds(w dropcap.WorkloadEvidence) (n int64) {
	for _, s := range w.Sources {
		n = max(n, s.Seconds)
	}
	return n
}

// sourceKey identifies a recording: a container on a host, from a time on.
func sourceKey(s dropcap.Source) string {
	return s.Host.ID + "\x00" + s.Container + "\x00" + normal(s.Since)
}
