package verdict

import (
	"slices"

	"dropcap"
	"dropcap/caps"
)

// Denied returns the first check of dropped capabilities that was denied, decides something, and
// would have been granted with what was dropped. The checks are those of the container's own
// processes since its start. It skips denials of processes that had given their rights up, those
// where the kernel then granted another capability, and those that also happened before the drop;
// before reports the latter, by check and site.
func Denied(checks []dropcap.KernelCheck, dropped caps.Set, before func(c dropcap.KernelCheck,
	site string) bool) (dropcap.KernelCheck, bool) {
	var first dropcap.KernelCheck
	found := false
	denied, granted := countsOf(checks)
	for _, c := range checks {
		if c.Granted || c.Spent || !dropped.Has(c.Cap) || c.Reach != dropcap.ReachOwn ||
			!c.OwnCred || c.Origin != dropcap.OriginInit {
			continue
		}
		v := Of(c)
		switch {
		case v.Class != dropcap.Decisive || before(c, v.Site) ||
			servedOtherwise(c, denied, granted):
		case !found || c.First.Before(first.First):
			first, found = c, true
		}
	}
	return first, found
}

// servedOtherwise reports whether all checks of this kind were the first of a pair whose second was
// granted.
func servedOtherwise(c dropcap.KernelCheck, denied, granted map[site]uint64) bool {
	for _, pair := range pairs {
		if pair.first == c.Cap && granted[siteOf(c, pair.second)] >= denied[siteOf(c, c.Cap)] {
			return true
		}
	}
	return false
}

// ServedBy returns the capabilities that the kernel asks for next at the same place, any of which
// would do as well.
func ServedBy(c dropcap.KernelCheck) (s caps.Set) {
	p := pathOf(c.Frames)
	i := p.asker()
	for _, pair := range pairs {
		if pair.first == c.Cap && (len(pair.at) == 0 || i < len(p.names) &&
			slices.Contains(pair.at, p.names[i])) {
			s |= caps.Of(pair.second)
		}
	}
	return s
}
