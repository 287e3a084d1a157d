package audit

import (
	"dropcap"
	"dropcap/caps"
	"dropcap/internal/owner"
)

// fix says in the owner's own terms how to stop granting the set.
func (x subject) fix(set caps.Set) string {
	return owner.Fix(x.c, caps.Without(x.c.Declared, x.host.Defaults, x.c.Predicted, set))
}

// commonFix returns one fix for all findings that a change of the lists solves, if there are
// several.
func (x subject) commonFix(findings []dropcap.Finding) string {
	var set caps.Set
	n := 0
	for _, f := range findings {
		switch f.Rule {
		case dropcap.RuleNetRaw, dropcap.RuleAdded, dropcap.RuleUnneeded:
			if f.Counts() {
				set |= f.Caps
				n++
			}
		}
	}
	if n < 2 {
		return ""
	}
	return x.fix(set)
}

func (x subject) fixInert(set caps.Set) string {
	switch {
	case x.c.Declared.Privileged:
		return "remove --privileged, so that the drops count"
	case set.Empty():
		return "name what it needs in CapAdd instead of ALL"
	default:
		return "take " + set.Short() + " out of CapAdd, so that the drop counts"
	}
}
