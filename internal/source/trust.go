package source

import (
	"fmt"
	"slices"
)

// Place is a file or folder on the way to a file, the root first and the file last, as lstat tells it.
type Place struct {
	Path    string
	UID     uint32
	Mode    uint32 // permission bits
	Link    bool
	Folder  bool
	Regular bool
	Dev     uint64
	Inode   uint64
}

// Mount is what a container mounts of the host, links followed. Of a volume it is the folder that its options name, too.
type Mount struct {
	Container  string
	Dev, Inode uint64
}

// Trust decides whether a file may be edited, and acted upon, on behalf of whom the owners are (root, and the user who called): it and all that
// is above it belong to them, nobody else can write there, no link is on the way, and no container mounts any of it. The error is a Cannot.
func Trust(way []Place, owners []uint32, mounts []Mount) error {
	if len(way) == 0 {
		return cannot("untrusted", "nothing is known of it")
	}
	for i, p := range way {
		last := i == len(way)-1
		name := "the folder " + printable(p.Path)
		if last {
			name = printable(p.Path)
		}
		switch {
		case p.Link:
			return cannot("untrusted", "%s is a link", printable(p.Path))
		case last && !p.Regular:
			return cannot("untrusted", "%s is not a regular file", printable(p.Path))
		case !last && !p.Folder:
			return cannot("untrusted", "%s is not a folder", printable(p.Path))
		case !slices.Contains(owners, p.UID):
			return cannot("untrusted", "%s belongs to user %d", name, p.UID)
		case p.Mode&0o022 != 0: // of a file with access control lists, the group's bits are what any of them can grant (acl(5))
			return cannot("untrusted", "others may write %s (mode %s)", name, fmt.Sprintf("%04o", p.Mode&0o7777))
		}
		for _, m := range mounts {
			if m.Dev == p.Dev && m.Inode == p.Inode {
				return cannot("untrusted", "the container %s mounts %s", printable(m.Container), printable(p.Path))
			}
		}
	}
	return nil
}
