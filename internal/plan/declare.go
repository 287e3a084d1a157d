package plan

import (
	"fmt"

	"dropcap"
	"dropcap/caps"
)

// declare finds the smallest declaration that grants what stays. At level cis what goes is taken
// out of the lists that there are, where the engine's arithmetic tells that this is enough; else,
// as at level least and for what was privileged, everything is dropped and what stays is added. The
// error says why no declaration does it.
func declare(h dropcap.Host, c dropcap.Container, level dropcap.Level,
	drop caps.Set) (dropcap.Grant, error) {
	before, held := c.Declared, *c.Predicted
	stay := held.Minus(drop)
	after := dropcap.Declared{Add: stay.Names(), Drop: []string{caps.All}}
	was, err := grants(h).Predict(before)
	// Podman has defaults of its own and tells lists that it has made up from them: what is held is
	// more than they explain.
	explained := err == nil && held.Minus(was).Empty()
	if level == dropcap.LevelCIS && !before.Privileged && explained {
		edited := spelt(before, caps.Without(before, h.Defaults, c.Predicted, drop).Apply(before))
		if is, err := grants(h).Predict(edited); err == nil && is&held == stay {
			after = edited
		}
	}
	is, err := grants(h).Predict(after)
	if err != nil {
		return dropcap.Grant{}, err
	}
	if more := is.Minus(was | held); !more.Empty() {
		// never, by the arithmetic; but a plan that grants must not leave this room
		return dropcap.Grant{}, fmt.Errorf("it would grant %s", more.Short())
	}
	// An engine that lacks something itself (held lacks it then) cannot hand it on either way.
	if left := is & held & drop; !left.Empty() {
		return dropcap.Grant{}, fmt.Errorf("no declaration takes %s away", left.Short())
	}
	return grant(after, is&held), nil
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
	return dropcap.Declared{Privileged: after.Privileged, Add: full(after.Add, before.Add),
		Drop: full(after.Drop, before.Drop)}
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
	return dropcap.Grant{Privileged: d.Privileged, CapAdd: listed(d.Add), CapDrop: listed(d.Drop),
		Holds: holds}
}

func listed(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}
