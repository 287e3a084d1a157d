package metrics

import (
	"cmp"
	"slices"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/policy"
)

// workload is what is known of one workload of this host.
type workload struct {
	label      string // its name, as it is shown
	containers bool   // it has containers now
	held       caps.Set
	heldKnown  bool
	needed     caps.Set // by evidence or policy
	stored     bool     // it is known what evidence there is
	recorded   bool     // there is some
	confidence int
	last       time.Time // when it was last recorded
	fails      bool
}

func (w workload) unneeded() caps.Set { return w.held.Minus(w.needed) }

// ranks are the levels of confidence as numbers.
var ranks = map[string]int{
	dropcap.ConfidenceLow: 1, dropcap.ConfidenceMedium: 2, dropcap.ConfidenceHigh: 3,
	dropcap.ConfidenceTried: 4,
}

// confidences are the names of those numbers.
var confidences = []string{"none", dropcap.ConfidenceLow, dropcap.ConfidenceMedium,
	dropcap.ConfidenceHigh, dropcap.ConfidenceTried}

// workloads joins the audit with the evidence, by the names that are shown: two that are shown
// alike would be one series twice, which Prometheus refuses.
func workloads(s State) []workload {
	list := map[string]*workload{}
	get := func(name string) *workload {
		label := plain(name)
		if list[label] == nil {
			list[label] = &workload{label: label}
		}
		return list[label]
	}
	if s.Evidence != nil && s.Audit == nil { // a recording has no audit: all that it knows
		for _, e := range *s.Evidence {
			get(e.Workload).learned(e.Confidence.Level, e)
		}
	}
	if s.Audit == nil {
		return values(list)
	}
	for _, c := range s.Audit.Containers {
		if c.Workload == "" || c.Retained != "" {
			continue
		}
		w := get(c.Workload)
		w.containers, w.fails = true, w.fails || c.Verdict == dropcap.Fail
		held, known := holds(c.Container)
		w.held, w.heldKnown = w.held|held, w.heldKnown || known
		if s.Policy != nil {
			kept, _ := policy.Kept(*s.Policy, c.Container)
			w.needed |= kept & held
		}
		if w.stored = s.Evidence != nil; !w.stored {
			continue
		}
		if found, ok := evidence.For(*s.Evidence, evidence.Subject{Workload: c.Workload,
			Revision: c.Revision, Host: s.Audit.Host.ID, Held: held}); ok {
			w.needed |= found.Supported
			w.learned(found.Level, found.Evidence)
		}
	}
	return values(list)
}

func values(list map[string]*workload) (out []workload) {
	for _, w := range list {
		out = append(out, *w)
	}
	return out
}

// learned notes evidence. Of several containers or revisions the least sure counts, and the
// oldest.
func (w *workload) learned(level string, e dropcap.WorkloadEvidence) {
	var last time.Time
	for _, s := range e.Sources {
		if t := at(s.Until); t.After(last) {
			last = t
		}
	}
	if !w.recorded || ranks[level] < w.confidence {
		w.confidence = ranks[level]
	}
	if !w.recorded || last.Before(w.last) {
		w.last = last
	}
	w.recorded = true
}

// workloadFamilies describe each workload, but for those beyond the bound, which are summed.
func workloadFamilies(s State) []*family {
	if s.Audit == nil && s.Evidence == nil {
		return nil
	}
	all := workloads(s)
	own, rest := bounded(all, cmp.Or(s.MostWorkloads, DefaultWorkloads))
	omitted := newFamily("dropcap_workloads_summed", gauge,
		"Workloads that have no series of their own, but share the label "+Other+".")
	omitted.add(float64(len(rest)))
	families := append([]*family{omitted}, setFamily(own, rest))
	if s.Evidence != nil {
		families = append(append(families, confidenceFamily(all)), evidenceFamilies(own, rest)...)
	}
	return families
}

func confidenceFamily(all []workload) *family {
	confidence := newFamily("dropcap_workloads", gauge,
		"Workloads by the confidence of their evidence.")
	counts := make([]int, len(confidences))
	for _, w := range all {
		counts[w.confidence]++
	}
	for i, n := range counts {
		confidence.add(float64(n), "confidence", confidences[i])
	}
	return confidence
}

// bounded parts the workloads that have series of their own from the others: those that fail and
// that hold most come first.
func bounded(all []workload, most int) (own, rest []workload) {
	slices.SortFunc(all, func(a, b workload) int {
		return cmp.Or(cmp.Compare(number(b.fails), number(a.fails)),
			cmp.Compare(b.held.Len(), a.held.Len()), cmp.Compare(a.label, b.label))
	})
	if len(all) <= most {
		return all, nil
	}
	return all[:most], all[most:]
}

func setFamily(own, rest []workload) *family {
	sets := newFamily("dropcap_workload_capabilities", gauge,
		"Capabilities of a workload: held (or regained at a restart), needed by evidence or "+
			"policy, and unneeded, where there is evidence.")
	for _, w := range own {
		for set, n := range w.counts() {
			sets.add(float64(n), "workload", w.label, "set", set)
		}
	}
	sum := map[string]int{}
	for _, w := range rest {
		for set, n := range w.counts() {
			sum[set] += n
		}
	}
	for set, n := range sum {
		sets.add(float64(n), "workload", Other, "set", set)
	}
	return sets
}

// evidenceFamilies describe the evidence; of what is summed the least sure and the oldest counts.
func evidenceFamilies(own, rest []workload) []*family {
	level := newFamily("dropcap_workload_evidence_confidence", gauge,
		"Confidence of a workload's evidence: 0 none, 1 low, 2 medium, 3 high, 4 tried.")
	last := newFamily("dropcap_workload_evidence_timestamp_seconds", gauge,
		"When a workload was last recorded, in seconds since 1970.")
	for _, w := range own {
		level.add(float64(w.confidence), "workload", w.label)
		last.addTime(w.last, "workload", w.label)
	}
	if len(rest) == 0 {
		return []*family{level, last}
	}
	sure, oldest := len(confidences), time.Time{}
	for _, w := range rest {
		sure = min(sure, w.confidence)
		if !w.last.IsZero() && (oldest.IsZero() || w.last.Before(oldest)) {
			oldest = w.last
		}
	}
	level.add(float64(sure), "workload", Other)
	last.addTime(oldest, "workload", Other)
	return []*family{level, last}
}

// counts returns the sizes of its sets that are known.
func (w workload) counts() map[string]int {
	out := map[string]int{}
	if !w.heldKnown {
		return out
	}
	out["held"] = w.held.Len()
	if w.stored {
		out["needed"] = w.needed.Len()
	}
	if w.recorded {
		out["unneeded"] = w.unneeded().Len()
	}
	return out
}
