// Package source changes capabilities where a container's owner keeps them: in compose files, by
// splicing text at parsed positions, and in the specification of a swarm service; for owners that
// are elsewhere (Amazon ECS, Kubernetes, Nomad, systemd) it says the exact change.
//
// It does no I/O, and nothing of a file but what is about capabilities is in anything that it says
// to people: the lines beside may hold secrets.
package source

import (
	"fmt"
	"slices"
	"strings"

	"dropcap/caps"
)

// Cannot is why a source is not changed by dropcap. Its text ends a sentence that begins with
// "cannot edit …: ".
type Cannot struct {
	Slug string // stable
	Why  string
}

func (c *Cannot) Error() string { return c.Why }

func cannot(slug, format string, args ...any) *Cannot {
	return &Cannot{Slug: slug, Why: fmt.Sprintf(format, args...)}
}

// short gives a capability's name as it is written in files, so that names can be compared:
// "NET_RAW" for "cap_net_raw". What is none stays.
func short(name string) string {
	if strings.EqualFold(name, caps.All) || strings.EqualFold(name, "CAP_ALL") {
		return caps.All
	}
	if c, err := caps.Parse(name); err == nil {
		return c.Short()
	}
	return name
}

// shorts is a list of names, each once, in its order.
func shorts(list []string) []string {
	out := []string{}
	for _, n := range list {
		if s := short(n); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// SameNames tells whether two lists name the same, in any spelling and order.
func SameNames(a, b []string) bool {
	x, y := shorts(a), shorts(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// minus is what a names and b does not.
func minus(a, b []string) []string {
	out := []string{}
	known := shorts(b)
	for _, n := range shorts(a) {
		if !slices.Contains(known, n) {
			out = append(out, n)
		}
	}
	return out
}
