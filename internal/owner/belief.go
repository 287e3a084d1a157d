// Package owner tells who would re-create a container: what its labels claim, which of them are
// believed, and which units of systemd run a docker client. It is pure. One file holds one owner;
// this one holds the rule of belief, and everything that reads a label's value goes by it.
package owner

import (
	"maps"
	"slices"

	"dropcap"
)

// along are labels that whoever sets the first sets too, over what the image says: once the first
// is known to be the container's own, the others are, even where an image that was built or
// committed by the same tool carries equal ones.
var along = map[string][]string{composeHash: composeIdentity}

// Believed gives the labels that were given to the container: those that do not stand on its image
// with the same value. If the image's labels are not known, none is believed. The result is never
// nil.
func Believed(l dropcap.Labels) map[string]string {
	out := map[string]string{}
	if !l.ImageKnown {
		return out
	}
	for name, value := range l.Own {
		if v, same := l.Image[name]; !same || v != value {
			out[name] = value
		}
	}
	for proof, names := range along {
		if out[proof] == "" {
			continue
		}
		for _, n := range names {
			if v, ok := l.Own[n]; ok {
				out[n] = v
			}
		}
	}
	return out
}

// Brought gives the names of the labels that are not believed, sorted; never nil.
func Brought(l dropcap.Labels) []string {
	out, believed := []string{}, Believed(l)
	for _, n := range slices.Sorted(maps.Keys(l.Own)) {
		if _, ok := believed[n]; !ok {
			out = append(out, n)
		}
	}
	return out
}
