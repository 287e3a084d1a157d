package plan

import (
	"fmt"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/audit"
)

// declare finds the smallest declaration that grants what stays: at level least, and for what was privileged, everything is dropped and the
// rest added; at cis what goes is taken out of the lists that there are. The error says why no declaration does it.
func declare(h dropcap.Host, c dropcap.Container, level dropcap.Level, drop caps.Set) (dropcap.Grant, error) {
	before := c.Declared
	stay := c.Predicted.Minus(drop)
	after := dropcap.Declared{Add: stay.Names(), Drop: []string{caps.All}}
	if level == dropcap.LevelCIS && !before.Privileged {
		after = spelt(before, audit.Without(before, h.Defaults, c.Predicted, drop).Apply(before))
	}
	was, err := grants(h).Predict(before)
	if err != nil {
		return dropcap.Grant{}, err
	}
	is, err := grants(h).Predict(after)
	if err != nil {
		return dropcap.Grant{}, err
	}
	if more := is.Minus(was); !more.Empty() { // never, by the arithmetic; but a plan that grants must not leave this room
		return dropcap.Grant{}, fmt.Errorf("it would grant %s", more.Short())
	}
	// An engine that lacks something itself (c.Predicted lacks it then) cannot hand it on either way.
	is &= *c.Predicted
	if left := is & drop; !left.Empty() {
		return dropcap.Grant{}, fmt.Errorf("no declaration takes %s away", left.Short())
	}
	return grant(after, is), nil
}

// spelt writes the names that were not there before as documents do.
func spelt(before, after dropcap.Declared) dropcap.Declared {
	full := func(list, known []string) []string {
		out := []string{}
		for _, n := range list {
			if p, err := caps.Parse(n); err == nil && !contains(known, n) {
				n = p.String()
			}
			out = append(out, n)
		}
		return out
	}
	return dropcap.Declared{Privileged: after.Privileged, Add: full(after.Add, before.Add), Drop: full(after.Drop, before.Drop)}
}

func contains(list []string, s string) bool {
	for _, n := range list {
		if n == s {
			return true
		}
	}
	return false
}

func grants(h dropcap.Host) caps.Grants {
	var g caps.Grants
	if h.Defaults != nil {
		g.Defaults = *h.Defaults
	}
	if h.Grantable != nil {
		g.All = *h.Grantable
	}
	return g
}

func grant(d dropcap.Declared, holds caps.Set) dropcap.Grant {
	return dropcap.Grant{Privileged: d.Privileged, CapAdd: listed(d.Add), CapDrop: listed(d.Drop), Holds: holds}
}

func listed(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}
