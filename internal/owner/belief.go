// Package owner holds all that differs from one owner of containers to the next: how it is
// recognised, its words for a change, how dropcap changes its containers, and how its source says
// it. It is pure. One file holds one owner, and owner.go names them all; this one holds the rule of
// belief, and everything that reads a label's value goes by it.
package owner

import (
	"maps"
	"slices"

	"dropcap"
)

// Believed returns the labels that were given to the container: those that do not stand on its
// image with the same value. If the image's labels are not known, none is believed. The result is
// never nil.
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
	for _, k := range kinds {
		if k.proof == "" || out[k.proof] == "" {
			continue
		}
		for _, n := range k.proven {
			if v, ok := l.Own[n]; ok {
				out[n] = v
			}
		}
	}
	return out
}

// Brought returns the names of the labels that are not believed, sorted; never nil.
func Brought(l dropcap.Labels) []string {
	out, believed := []string{}, Believed(l)
	for _, n := range slices.Sorted(maps.Keys(l.Own)) {
		if _, ok := believed[n]; !ok {
			out = append(out, n)
		}
	}
	return out
}
