package evidence

import (
	"slices"

	"dropcap"
	"dropcap/caps"
)

// Conclude fills in what follows from sources, needs and held: required, unused, recommended and
// confidence. It ignores what those fields contained.
func Conclude(w dropcap.WorkloadEvidence) dropcap.WorkloadEvidence {
	w.Required = required(w.Needs, w.Held)
	w.Required = w.Required.Minus(released(w))
	w.Unused = w.Held.Minus(w.Required)
	w.TryWithout = tryWithout(w.Needs, w.Required)
	w.Recommended = Recommend(w.Required)
	w.Confidence = confidence(w)
	return w
}

// required returns the held capabilities that the needs support. Denied checks support nothing:
// what was not held was not needed, or what needed it never worked.
func required(needs []dropcap.Need, held caps.Set) caps.Set {
	var set caps.Set
	for _, n := range needs {
		if supports(n) && n.Class != dropcap.Alternative {
			set |= caps.Of(n.Cap)
		}
	}
	set &= held
	return set | choose(needs, held, set)
}

// tryWithout returns the required capabilities supported only by needs that programs often survive
// without. They stay required: only a trial can tell.
func tryWithout(needs []dropcap.Need, required caps.Set) caps.Set {
	var tried, missed caps.Set
	for _, n := range needs {
		switch {
		case !supports(n):
		case n.TryWithout:
			tried |= caps.Of(n.Cap)
		default:
			missed |= caps.Of(n.Cap) | n.Or
		}
	}
	return tried.Minus(missed) & required
}

// supports reports whether a need keeps its capability. A need shown only by programs that are not
// the image's keeps nothing beyond Docker's defaults until somebody approves it: such a program may
// have been written to make a grant look needed. What an administrator's docker exec needs is not a
// need of the workload and keeps nothing.
func supports(n dropcap.Need) bool {
	trusted := !n.Doubted() || !n.Exec && caps.DockerDefaults.Has(n.Cap)
	return n.Used() && n.Class.Keeps() && trusted
}

// Approve makes the doubted needs of a capability count as the workload's own, or withdraws that,
// and returns how many there are. An approval is an operator's word on this host; no imported
// document can give it.
func Approve(w dropcap.WorkloadEvidence, c caps.Cap, yes bool) (dropcap.WorkloadEvidence, int) {
	n := 0
	w.Needs = slices.Clone(w.Needs)
	for i, need := range w.Needs {
		if need.Cap == c && (need.Flagged || need.Exec) && need.Used() &&
			need.Class.Keeps() {
			w.Needs[i].Approved = yes
			n++
		}
	}
	return Conclude(w), n
}

// choose selects one capability for each alternative that the required ones do not serve: the
// weakest that is held. It never substitutes one that was denied somewhere, since a program that
// lacks it although the container holds it would still lack it.
func choose(needs []dropcap.Need, held, set caps.Set) caps.Set {
	var denied, chosen caps.Set
	var open []caps.Set
	for _, n := range needs {
		if n.Outcome == dropcap.Denied && !n.Trial {
			denied |= caps.Of(n.Cap)
		}
	}
	for _, n := range needs {
		if n.Class != dropcap.Alternative || !supports(n) || !held.Has(n.Cap) {
			continue
		}
		or := (n.Or & held).Minus(denied)
		if n.Doubted() {
			or &= caps.DockerDefaults
		}
		if any := caps.Of(n.Cap) | or; any&set == 0 {
			open = append(open, any)
		}
	}
	// Alternatives with the fewest members first: their choice may serve the others.
	slices.SortStableFunc(open, func(a, b caps.Set) int { return a.Len() - b.Len() })
	for _, any := range open {
		if any&chosen == 0 {
			chosen |= caps.Of(weakest(any))
		}
	}
	return chosen
}

// weakest returns the member that is least useful to an attacker; of equals one of Docker's
// defaults, then the first.
func weakest(s caps.Set) caps.Cap {
	list := s.List()
	return slices.MinFunc(list, func(a, b caps.Cap) int {
		if d := a.Severity().Rank() - b.Severity().Rank(); d != 0 {
			return d
		}
		if x, y := caps.DockerDefaults.Has(a), caps.DockerDefaults.Has(b); x != y && x {
			return -1
		} else if x != y {
			return 1
		}
		return int(a) - int(b)
	})
}
