package evidence

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"dropcap"
)

// Merging.
const (
	// evidence of each host stays apart: containers of one name on two hosts need not be the same
	// thing
	ByHost      = false
	AcrossHosts = true // merge all hosts'; only when a person asked for it
)

// Merge puts together the evidence of restarts, replicas and re-creations: all that is of one
// workload, revision and image, and of one host unless across. The result depends on the set of
// what is given only, not on order or repetition:
//
// A record is the evidence of one source (host, container, since), as Build makes it; of several of
// the same source the latest counts, since it goes on from the others. Keep records, and merge them
// to look at. What is merged already can be merged further; if its sources overlap with others
// without containing them, what the needs support is right, and their counts are the larger ones
// instead of sums.
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

// hosts names a record's, sorted.
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
			continue // all the rest of it is in already
		case known > 0:
			t.overlap(w.Needs, len(w.Sources)-known)
		default:
			for _, n := range w.Needs {
				t.add(n)
			}
		}
		out.Held |= w.Held
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

// known counts the sources that are in already, and tells whether one of them goes on longer than
// what is in.
func known(have map[string]dropcap.Source, list []dropcap.Source) (n int, later bool) {
	for _, s := range list {
		if h, ok := have[sourceKey(s)]; ok {
			n++
			later = later || before(h.Until, s.Until)
		}
	}
	return n, later
}

// overlap adds needs of which an unknown part is counted already: counts become the larger of both,
// and no more sources are believed than are new.
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

// approved carries over what an operator approved of in an earlier record: a later one of the same
// source comes from a recording, which knows nothing of that.
func (t *tally) approved(needs []dropcap.Need) {
	for _, n := range needs {
		if have := t.by[keyOf(n)]; have != nil && n.Approved {
			have.Approved = true
		}
	}
}

// larger takes each entry once, with the larger count.
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

// order puts what covers more before what covers less, and of the same sources the latest first:
// then what comes later and is in already can be left out. The documents' text breaks ties, so that
// the order of the input never matters.
func order(list []dropcap.WorkloadEvidence) {
	text := map[int]string{}
	index := make([]int, len(list))
	for i, w := range list {
		b, _ := json.Marshal(w) // of plain values, so it cannot fail
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

// last is when the latest source was last looked at, as a text that sorts.
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

// sourceKey names a recording: a container on a host, from a time on.
func sourceKey(s dropcap.Source) string {
	return s.Host.ID + "\x00" + s.Container + "\x00" + normal(s.Since)
}
