package audit

import (
	"fmt"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/policy"
)

// part is the part of a set that one waiver accepts.
type part struct {
	caps   caps.Set
	waiver dropcap.Waiver
}

// parts returns the capabilities that no waiver accepts, and those that each waiver accepts.
func (x subject) parts(rule dropcap.Rule, set caps.Set) (open caps.Set, parts []part) {
	for _, c := range set.List() {
		one := caps.Of(c)
		found := x.waivers.Match(x.c, dropcap.Finding{Rule: rule, Caps: one})
		if len(found) == 0 {
			open |= one
			continue
		}
		i := 0
		for i < len(parts) && parts[i].waiver != found[0] {
			i++
		}
		if i == len(parts) {
			parts = append(parts, part{waiver: found[0]})
		}
		parts[i].caps |= one
	}
	return open, parts
}

// stale returns a finding for each waiver that is expired, or that matched nothing although all
// containers were judged.
func stale(w *policy.Waivers, seen []dropcap.Container, partial bool) []dropcap.Finding {
	list := []dropcap.Finding{}
	for _, s := range w.Stale(seen) {
		if partial && s.Why != policy.Expired {
			continue
		}
		v := s.Waiver
		f := dropcap.Finding{Rule: dropcap.RuleWaiver, Severity: caps.Low, Caps: v.Caps,
			Fix: "remove it from the policy, or correct its selector"}
		what := fmt.Sprintf("the waiver for %s at line %d (owner %s)", v.Caps.Short(), v.Line,
			plain(v.Owner))
		switch s.Why {
		case policy.Expired:
			f.Because = fmt.Sprintf("%s expired on %s", what,
				v.Expires.UTC().Format("2006-01-02 15:04"))
			f.Fix = "drop the capability, or renew the waiver with a reason and a new date"
		case policy.NoContainer:
			f.Because = what + " picks no container of this host"
		default:
			f.Because = what + " accepts nothing: the containers that it picks have no such finding"
		}
		list = append(list, f)
	}
	return list
}
