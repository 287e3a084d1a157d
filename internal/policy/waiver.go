package policy

import (
	"slices"
	"time"

	"dropcap"
	"dropcap/caps"
)

// Everything is what ALL in a waiver stands for: each capability that has a name.
var Everything = caps.UpTo(caps.Last)

// Waivers matches findings with a policy's waivers and remembers which ones were used. It is not
// safe for concurrent use.
type Waivers struct {
	list []dropcap.Waiver
	used []bool
	now  time.Time
}

// NewWaivers returns the waivers of a policy; now decides which are expired.
func NewWaivers(list []dropcap.Waiver, now time.Time) *Waivers {
	return &Waivers{list: list, used: make([]bool, len(list)), now: now}
}

// Match returns the waivers that accept the finding of the container, the first to expire in front;
// none unless together they cover all of the finding's capabilities. It prefers one that covers all
// alone to several.
//
// A waiver covers only what it names: it never accepts a finding without capabilities, or of the
// rules unseen and waiver. Privileged is more than its capabilities (devices, no confinement), so
// only ALL accepts that finding, and ALL accepts no other.
func (w *Waivers) Match(c dropcap.Container, f dropcap.Finding) []dropcap.Waiver {
	if f.Rule == dropcap.RuleUnseen || f.Rule == dropcap.RuleWaiver {
		return nil
	}
	var picked []int
	var together caps.Set
	for i, v := range w.list {
		if v.Expired(w.now) || !Select(v.Containers, c) {
			continue
		}
		offer, whole := covers(v, f)
		if whole {
			return w.use(i)
		}
		if !offer.Minus(together).Empty() {
			picked = append(picked, i)
			together |= offer
		}
	}
	if !f.Caps.Minus(together).Empty() {
		return nil
	}
	return w.use(picked...)
}

// covers returns the part of the finding's capabilities that the waiver accepts, and whether that
// is the whole finding.
func covers(v dropcap.Waiver, f dropcap.Finding) (offer caps.Set, whole bool) {
	all := v.Caps&Everything == Everything
	switch {
	case f.Rule == dropcap.RulePrivileged:
		// whatever it means on this host: a newer kernel has capabilities without a name here
		return 0, all
	case all || f.Caps.Empty():
		return 0, false
	}
	offer = v.Caps & f.Caps
	return offer, offer == f.Caps
}

func (w *Waivers) use(which ...int) []dropcap.Waiver {
	var out []dropcap.Waiver
	for _, i := range which {
		w.used[i] = true
		out = append(out, w.list[i])
	}
	slices.SortStableFunc(out, func(a, b dropcap.Waiver) int {
		return a.Expires.Compare(b.Expires)
	})
	return out
}

// Staleness is the reason why a waiver is itself a finding.
type Staleness string

// The reasons, in order of precedence.
const (
	Expired     Staleness = "expired"
	NoContainer Staleness = "no container" // its selector picks none of the containers
	NoFinding   Staleness = "no finding"   // it picks some, but they have nothing that it accepts
)

// Stale is a waiver that should be removed.
type Stale struct {
	Waiver dropcap.Waiver
	Why    Staleness
}

// Stale returns the waivers that are expired or were not used, in the file's order. list has all
// containers, and the findings of all must have gone through Match before: otherwise waivers for
// the others would look unused.
func (w *Waivers) Stale(list []dropcap.Container) []Stale {
	var out []Stale
	for i, v := range w.list {
		picks := func(c dropcap.Container) bool { return Select(v.Containers, c) }
		switch {
		case v.Expired(w.now):
			out = append(out, Stale{v, Expired})
		case w.used[i]:
		case !slices.ContainsFunc(list, picks):
			out = append(out, Stale{v, NoContainer})
		default:
			out = append(out, Stale{v, NoFinding})
		}
	}
	return out
}
