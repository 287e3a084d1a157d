package policy

import (
	"slices"
	"time"

	"dropcap"
	"dropcap/caps"
)

// Everything is what ALL in a waiver stands for: each capability that has a name.
var Everything = caps.UpTo(caps.Last)

// Waivers matches findings with a policy's waivers and remembers which were of use. Not for
// concurrent use.
type Waivers struct {
	list []dropcap.Waiver
	used []bool
	now  time.Time
}

// NewWaivers takes the waivers of a policy; now decides which are expired.
func NewWaivers(list []dropcap.Waiver, now time.Time) *Waivers {
	return &Waivers{list: list, used: make([]bool, len(list)), now: now}
}

// Match gives the waivers that accept the finding of the container, the first to expire in front;
// none unless they cover all of the finding's capabilities together. One that covers all alone is
// preferred to several.
//
// A waiver covers only what it names: a finding without capabilities, or of the rules unseen and
// waiver, is never accepted. Privileged is more than its capabilities (devices, no confinement), so
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

// covers gives the part of the finding's capabilities that the waiver accepts, and whether that is
// the whole finding.
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

// Staleness is why a waiver is a finding itself.
type Staleness string

// The reasons, an earlier one before a later one.
const (
	Expired     Staleness = "expired"
	NoContainer Staleness = "no container" // its selector picks none of those seen
	NoFinding   Staleness = "no finding"   // it picks some, but they have nothing that it accepts
)

// Stale is a waiver that ought to go.
type Stale struct {
	Waiver dropcap.Waiver
	Why    Staleness
}

// Stale gives the waivers that are expired or were of no use, in the file's order. Ask after the
// findings of all containers went through Match: of some containers only, it would blame waivers
// for those that were not looked at. seen are all of them.
func (w *Waivers) Stale(seen []dropcap.Container) []Stale {
	var out []Stale
	for i, v := range w.list {
		picks := func(c dropcap.Container) bool { return Select(v.Containers, c) }
		switch {
		case v.Expired(w.now):
			out = append(out, Stale{v, Expired})
		case w.used[i]:
		case !slices.ContainsFunc(seen, picks):
			out = append(out, Stale{v, NoContainer})
		default:
			out = append(out, Stale{v, NoFinding})
		}
	}
	return out
}
