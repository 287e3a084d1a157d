package dropcap

// Spot is a location in a file system, independent of the path to it: bind mounts, subvolumes and
// other names of a folder are the same spot.
type Spot struct {
	Device string // the file system's, "8:1", as mountinfo has it
	Path   string // from the file system's own root
}

// Waypoint is one component of the path to a file, from the root to the file itself, as the kernel
// describes it.
type Waypoint struct {
	Path    string
	UID     uint32
	Mode    uint32 // permission bits, and the sticky one
	Link    bool
	Folder  bool
	Regular bool
	Names   uint64 // the number of hard links
	// Spots are its locations, including those in an overlay's layers.
	Spots []Spot
	// WhyNot says why the kernel does not reveal its location; empty if it does.
	WhyNot string
}
