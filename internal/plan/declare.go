package plan

import (
	"fmt"

	"dropcap"
	"dropcap/caps"
)

// declare returns the smallest declaration that grants what stays. At level cis it edits the
// present lists, if that is enough by the engine's arithmetic; else, as at level least and for
// privileged containers, it drops ALL and adds what stays. The error says why no declaration is
// possible.
func declare(h dropcap.Host, c dropcap.Container, level dropcap.Level,
	drop caps.Set) (dropcap.Grant, error) {
	before, held := c.Declared, *c.Predicted
	stay := held.Minus(drop)
	after := dropcap.Declared{Add: stay.Names(), Drop: []string{caps.All}}
	was, err := grants(h).Predict(before)
	// Podman has its own defaults and reports lists derived from them: the container holds more
	// than they explain.
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
		// never happens, by the arithmetic; but no plan may ever grant more
		return dropcap.Grant{}, fmt.Errorf("it would grant %s", more.Short())
	}
	// An engine that lacks a capability itself (then held lacks it, too) cannot grant it either
	// way.
	if left := is & held & drop; !left.Empty() {
		return dropcap.Grant{}, fmt.Errorf("no declaration takes %s away", left.Short())
	}
	return grant(after, is&held), nil
}

// spelt writes new names as documents do.
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
