// Package trust decides whether dropcap may act upon a file: whether only those on whose behalf
// dropcap acts, and no container, can have written it. It does no I/O.
package trust

import (
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/printable"
)

// Untrusted says why a file is not trusted. Its text ends a sentence that begins with "cannot …: ".
type Untrusted struct{ Why string }

func (u *Untrusted) Error() string { return u.Why }

// Mount is a part of the host that a container can reach: a mount, or the layer that it writes to.
type Mount struct {
	Container string
	Spots     []dropcap.Spot
	// Unknown says which part of it the kernel does not reveal; empty if it is fully known.
	Unknown string
}

// Rule says on whose behalf a file is trusted.
type Rule struct {
	Owners []uint32 // root, and the caller
	Mounts []Mount  // of every container of the engine
	// Sticky allows folders that others can write to if nobody can replace another user's files
	// there (/tmp). It is for a file that is read once and whose contents are checked.
	Sticky bool
	// Links allows links in the path. It is for a file whose resolved path is judged, too.
	Links bool
	// Folder means that the path ends at the folder in which the file will be created.
	Folder bool
}

// Judge returns an *Untrusted unless the whole path belongs to the owners, nobody else can write
// there, it contains no link, and no container reaches any of it by whatever path.
func Judge(waypoints []dropcap.Waypoint, r Rule) error {
	if len(waypoints) == 0 {
		return no("nothing is known of it")
	}
	for i, p := range waypoints {
		if err := r.kind(p, i == len(waypoints)-1); err != nil {
			return err
		}
		if err := r.checkWriters(p, i == len(waypoints)-1); err != nil {
			return err
		}
		if err := r.checkContainers(p); err != nil {
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
		// a container may mount another of its names
		return no("%s has other names, too (hard links)", shown(p.Path))
	}
	return nil
}

// checkWriters refuses what other users can write to. If a file has access control lists, the
// group's bits are the most that any of them can grant (acl(5)); a link's own mode means nothing.
func (r Rule) checkWriters(p dropcap.Waypoint, last bool) error {
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

// checkContainers refuses what a container reaches, including folders above the file: there it
// could replace the next one.
func (r Rule) checkContainers(p dropcap.Waypoint) error {
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
	if p.WhyNot != "" && len(r.Mounts) > 0 {
		return no("nobody can tell whether a container mounts %s: %s", shown(p.Path),
			shown(p.WhyNot))
	}
	return nil
}

// covers reports whether a process that has the first spot can reach the second.
func covers(s, at dropcap.Spot) bool {
	if s.Device != at.Device {
		return false
	}
	return s.Path == "/" || s.Path == at.Path || strings.HasPrefix(at.Path, s.Path+"/")
}

// shown makes a name that anybody may have chosen fit into one line.
func shown(s string) string { return printable.Cut(s, 300) }
