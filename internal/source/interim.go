package source

import (
	"regexp"
	"strings"
	"sync"
)

// interim is what compose puts before a container's name until its predecessor is gone: the
// beginning of that one's id (docker/compose pkg/compose/reconcile.go, planRecreateContainer; in
// 2.x convergence.go, recreateContainer).
var interim = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9a-f]{12})_(.+)$`)
})

// ReplaceLabel is on every container that compose made in the place of another.
const ReplaceLabel = "com.docker.compose.replace"

// Interim reports whether compose was ended between making a container and giving it its name: then
// gives that name, and the beginning of its predecessor's id. A name that only looks so, since the
// file says container_name, is told by the label: it has the predecessor's id (2.26), or the name
// that the file says, or else the service and the number, with which the final name ends.
func Interim(name, replaces string) (final, predecessor string, ok bool) {
	m := interim().FindStringSubmatch(name)
	if m == nil || replaces == "" {
		return "", "", false
	}
	predecessor, final = m[1], m[2]
	ok = len(replaces) == 64 && strings.HasPrefix(replaces, predecessor) || final == replaces ||
		strings.HasSuffix(final, "-"+replaces) || strings.HasSuffix(final, "_"+replaces)
	if !ok {
		return "", "", false
	}
	return final, predecessor, true
}
