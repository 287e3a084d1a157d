package dropcap

// Spot is a place in a file system, whatever path leads there: bind mounts, subvolumes and other
// names of a folder are the same spot.
type Spot struct {
	Device string // the file system's, "8:1", as mountinfo has it
	Path   string // from the file system's own root
}

// Waypoint is a file or folder on the way to a file, the root first and the file last, as the
// kernel tells it.
type Waypoint struct {
	Path    string
	UID     uint32
	Mode    uint32 // permission bits, and the sticky one
	Link    bool
	Folder  bool
	Regular bool
	Names   uint64 // how many hard links a file has
	// Spots are where it is kept; an overlay's layers keep it, too.
	Spots []Spot
	// Elsewhere says why the kernel does not tell where it is kept; empty if it does.
	Elsewhere string
}
