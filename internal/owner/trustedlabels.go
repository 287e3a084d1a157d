// Package owner has all that differs between owners of containers: how to recognise one, how to
// describe a change in its terms, and how dropcap changes its containers and its source. It is
// pure. Each owner has a file, and owner.go lists them all; this file has the rule for which labels
// to trust, and everything that reads a label's value follows it.
package owner

import (
	"maps"
	"slices"

	"dropcap"
)

// TrustedLabels returns the labels that were set on the container itself: those that its image does
// not have with the same value. If the image's labels are unknown, none is trusted. The result is
// never nil.
func TrustedLabels(l dropcap.Labels) map[string]string {
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

// UntrustedLabels returns the names of the labels that are not trusted, sorted; never nil.
func UntrustedLabels(l dropcap.Labels) []string {
	out, believed := []string{}, TrustedLabels(l)
	for _, n := range slices.Sorted(maps.Keys(l.Own)) {
		if _, ok := believed[n]; !ok {
			out = append(out, n)
		}
	}
	return out
}
