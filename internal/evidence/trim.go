package evidence

import (
	"cmp"
	"slices"
	"strings"

	"dropcap"
)

// KeptApart is how many recordings of a workload stay separate; of more, the oldest are summed up
// in one source. A job that runs each minute produces ten thousand in a week.
const KeptApart = 64

// Trim sums up the oldest sources of stored evidence. present reports which sources are still being
// recorded: those must stay separate, since a later record replaces the earlier one.
func Trim(w dropcap.WorkloadEvidence, present func(dropcap.Source) bool) dropcap.WorkloadEvidence {
	if len(w.Sources) <= KeptApart {
		return w
	}
	list := slices.Clone(w.Sources)
	slices.SortFunc(list, func(a, b dropcap.Source) int {
		// The sum comes first, so that it keeps its name: for whoever imports two exports of it,
		// both are one source.
		return cmp.Or(cmp.Compare(b.Summed, a.Summed), strings.Compare(normal(a.Until),
			normal(b.Until)), strings.Compare(sourceKey(a), sourceKey(b)))
	})
	var kept []dropcap.Source
	sums := map[string]int{} // by host, the sum's index in kept
	surplus := len(list) - KeptApart
	for _, s := range list {
		at, begun := sums[s.Host.ID]
		if s.Trial != "" && surplus > 0 && !present(s) {
			surplus-- // it is no recording that could be summed up; Tried has what counts
			continue
		}
		switch {
		case s.Summed == 0 && (surplus <= 0 || present(s)):
			kept = append(kept, s)
			continue
		case begun:
			kept[at] = added(kept[at], s)
		default:
			sums[s.Host.ID] = len(kept)
			kept = append(kept, s)
		}
		surplus--
	}
	slices.SortFunc(kept, func(a, b dropcap.Source) int {
		return strings.Compare(sourceKey(a), sourceKey(b))
	})
	w.Sources = kept
	return w
}

// added returns the sum of two sources, under the first one's name.
func added(a, b dropcap.Source) dropcap.Source {
	a.Summed = a.Recordings() + b.Recordings()
	a.Until = later(a.Until, b.Until)
	a.Seconds = max(a.Seconds, b.Seconds)
	a.StartsCold, a.StartsWarm, a.Stops = a.StartsCold+b.StartsCold, a.StartsWarm+b.StartsWarm,
		a.Stops+b.Stops
	a.Lost, a.LossUnknown = sum(a.Lost, b.Lost), a.LossUnknown || b.LossUnknown
	a.Complete, a.Execs = a.Complete || b.Complete, a.Execs || b.Execs
	if b.FilesUnseen == "" {
		a.FilesUnseen = ""
	}
	if b.CallsUnseen == "" {
		a.CallsUnseen = ""
	}
	return a
}
