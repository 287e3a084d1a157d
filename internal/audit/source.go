package audit

import (
	"fmt"
	"strings"
	"unicode"

	"dropcap"
	"dropcap/caps"
)

// Why a container holds a capability.
const (
	sourcePrivileged = "privileged"
	sourceAll        = "all"
	sourceAdded      = "added"
	sourceDefault    = "default"
	sourceOther      = "other"
)

// sourceOf returns the part of the declaration by which the engine grants c.
func sourceOf(d dropcap.Declared, defaults *caps.Set, c caps.Cap) string {
	switch {
	case d.Privileged:
		return sourcePrivileged
	case caps.Listed(d.Add, c):
		return sourceAdded
	case caps.ListsAll(d.Add):
		return sourceAll
	case defaults != nil && defaults.Has(c):
		return sourceDefault
	default:
		return sourceOther
	}
}

// source says in one clause why the container holds the set: "CAP_NET_RAW is a default that was not
// dropped".
func (x subject) source(set caps.Set) string {
	by := map[string]caps.Set{}
	for _, c := range set.List() {
		s := sourceOf(x.c.Declared, x.host.Defaults, c)
		by[s] |= caps.Of(c)
	}
	var parts []string
	say := func(key, one, many string) {
		s := by[key]
		switch {
		case s.Empty():
		case s.Len() == 1:
			parts = append(parts, fmt.Sprintf("%s "+one, s.Short()))
		default:
			parts = append(parts, fmt.Sprintf("%s "+many, s.Short()))
		}
	}
	say(sourceDefault, "is granted by default and not dropped",
		"are granted by default and not dropped")
	say(sourceAdded, "is added by name", "are added by name")
	say(sourceAll, "comes with --cap-add ALL", "come with --cap-add ALL")
	say(sourceOther, "is granted by the engine's configuration",
		"are granted by the engine's configuration")
	return strings.Join(parts, "; ")
}

// inertDrops returns the declared drops without effect, and says why in one sentence.
func inertDrops(d dropcap.Declared) (caps.Set, string) {
	var dropped, added caps.Set
	for _, n := range d.Drop {
		if c, err := caps.Parse(n); err == nil {
			dropped |= caps.Of(c)
		}
	}
	for _, n := range d.Add {
		if c, err := caps.Parse(n); err == nil {
			added |= caps.Of(c)
		}
	}
	both := dropped & added
	switch {
	case d.Privileged && len(d.Drop) > 0:
		return dropped, fmt.Sprintf("it drops %s, but is privileged: the engine does not even "+
			"read the list", listed(d.Drop))
	case caps.ListsAll(d.Add) && caps.ListsAll(d.Drop):
		return 0, "it drops ALL and adds ALL: the engine lets the add win, so nothing is dropped"
	case !both.Empty() && !caps.ListsAll(d.Add):
		return both, fmt.Sprintf("it both drops and adds %s: the engine lets the add win",
			both.Short())
	default:
		return 0, ""
	}
}

// listed formats declared names safely for a sentence: the engine checks them, but a document from
// another host may hold anything.
func listed(l []string) string { return plain(strings.Join(l, ",")) }

// plain makes a string that a container controls safe within a sentence.
func plain(s string) string {
	const most = 80
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
