// Package trust decides whether a file may be acted upon: whether nobody but those on whose behalf
// dropcap acts, and no container, can have put there what stands in it. It does no I/O.
package trust

import (
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/printable"
)

// Untrusted is why a file is not trusted. Its text ends a sentence that begins with "cannot …: ".
type Untrusted struct{ Why string }

func (u *Untrusted) Error() string { return u.Why }

// Mount is what a container can reach of the host: a mount, or the layer that it writes to.
type Mount struct {
	Container string
	Spots     []dropcap.Spot
	// Unknown says what of it the kernel does not tell; empty if it is known.
	Unknown string
}

// Rule is on whose behalf a file is trusted.
type Rule struct {
	Owners []uint32 // root, and who called
	Mounts []Mount  // of every container of the engine
	// Sticky lets others write a folder above it where nobody can replace what is not his (/tmp):
	// for a file that is read once, and whose contents are checked.
	Sticky bool
	// Links lets links be on the way: for a file whose real way is judged, too.
	Links bool
	// Folder says that the way ends at the folder in which the file will be made.
	Folder bool
}

// Judge returns an *Untrusted unless all of the way is its owners' and nobody else can write there,
// no link is on it, and no container reaches any of it by whatever path.
func Judge(way []dropcap.Waypoint, r Rule) error {
	if len(way) == 0 {
		return no("nothing is known of it")
	}
	for i, p := range way {
		if err := r.kind(p, i == len(way)-1); err != nil {
			return err
		}
		if err := r.others(p, i == len(way)-1); err != nil {
			return err
		}
		if err := r.reached(p); err != nil {
			return err
		}
	}
	return nil
}

func no(format string, args ...any) error { return &Untrusted{fmt.Sprintf(format, args...)} }

func (r Rule) kind(p dropcap.Waypoint, last bool) error {
	switch {
	case p.Link && !r.Links:
		return no("%s is a link", shown(p.Path))
	case p.Link:
	case last && !r.Folder && !p.Regular:
		return no("%s is not a regular file", shown(p.Path))
	case (!last || r.Folder) && !p.Folder:
		return no("%s is not a folder", shown(p.Path))
	case last && !r.Folder && p.Names > 1 && len(r.Mounts) > 0:
		// a container may mount another one of them
		return no("%s has other names, too (hard links)", shown(p.Path))
	}
	return nil
}

// others refuses what somebody else may write. Of a file with access control lists the group's bits
// are what any of them can grant (acl(5)); a link's own mode says nothing.
func (r Rule) others(p dropcap.Waypoint, last bool) error {
	name := "the folder " + shown(p.Path)
	if last && !r.Folder || p.Link {
		name = shown(p.Path)
	}
	const sticky = 0o1000
	switch {
	case !slices.Contains(r.Owners, p.UID):
		return no("%s belongs to user %d", name, p.UID)
	case p.Link || p.Mode&0o022 == 0, !last && r.Sticky && p.Mode&sticky != 0:
		return nil
	}
	return no("others may write %s (mode %04o)", name, p.Mode&0o7777)
}

// reached refuses what a container reaches, be it a folder above: there it could put another in its
// place.
func (r Rule) reached(p dropcap.Waypoint) error {
	for _, m := range r.Mounts {
		for _, s := range m.Spots {
			if slices.ContainsFunc(p.Spots, func(at dropcap.Spot) bool { return covers(s, at) }) {
				return no("the container %s mounts %s", shown(m.Container), shown(p.Path))
			}
		}
		if m.Unknown != "" {
			return no("nobody can tell whether the container %s mounts it: %s", shown(m.Container),
				shown(m.Unknown))
		}
	}
	if p.Elsewhere != "" && len(r.Mounts) > 0 {
		return no("nobody can tell whether a container mounts %s: %s", shown(p.Path),
			shown(p.Elsewhere))
	}
	return nil
}

// covers reports whether who has the first spot can reach the second.
func covers(s, at dropcap.Spot) bool {
	if s.Device != at.Device {
		return false
	}
	return s.Path == "/" || s.Path == at.Path || strings.HasPrefix(at.Path, s.Path+"/")
}

// shown is a name that anybody may have given, within one line.
func shown(s string) string { return printable.Cut(s, 300) }
