// Package source changes capabilities where a container's owner keeps them: in compose files, by
// splicing text at parsed positions, and in the specification of a swarm service. It restates the
// command of a unit of systemd for a
// person to write. Which of these an owner has is in package owner.
//
// It does no I/O, and its texts for people quote nothing of a file except capabilities: other lines
// may hold secrets.
package source

import (
	"errors"
	"fmt"
	"slices"

	"dropcap/caps"
)

// mostShown is how many bytes of a name or a line are shown that come from elsewhere.
const mostShown = 300

// Cannot is why a source is not changed by dropcap. Its text ends a sentence that begins with
// "cannot edit …: ".
type Cannot struct {
	Slug    string // stable
	Why     string
	Service string // the one of several that is to blame; empty if none is
}

func (c *Cannot) Error() string { return c.Why }

// Blame names a service in a Cannot that names none yet.
func Blame(err error, service string) error {
	var c *Cannot
	if errors.As(err, &c) && c.Service == "" {
		named := *c
		named.Service = service
		return &named
	}
	return err
}

func cannot(slug, format string, args ...any) *Cannot {
	return &Cannot{Slug: slug, Why: fmt.Sprintf(format, args...)}
}

// SameNames reports whether two lists name the same, in any spelling and order.
func SameNames(a, b []string) bool {
	x, y := caps.ShortNames(a), caps.ShortNames(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// minus returns what a names and b does not.
func minus(a, b []string) []string {
	out := []string{}
	known := caps.ShortNames(b)
	for _, n := range caps.ShortNames(a) {
		if !slices.Contains(known, n) {
			out = append(out, n)
		}
	}
	return out
}
