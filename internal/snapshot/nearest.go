package snapshot

import (
	"strings"

	"dropcap"
	"dropcap/caps"
)

// nearest returns the container name that is closest to a misspelt one, else one that contains it;
// empty if there is none.
func nearest(name string, list []dropcap.Ref) string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = r.Name
	}
	if near, ok := caps.NearestWord(name, names); ok {
		return near
	}
	for _, n := range names {
		if name != "" && strings.Contains(n, name) {
			return n
		}
	}
	return ""
}
