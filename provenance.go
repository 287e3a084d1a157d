package dropcap

// Where a program's file comes from. There is one rule: it is the image's only if path, inode and
// content are the image's own, and proven to be so. Of an overlay that means that the file lies in
// a lower layer and has no part in the upper one.
const (
	FromImage   = "image"
	FromVolume  = "volume"  // of something that is mounted into the container
	FromWritten = "written" // made or changed in the container
	FromMemory  = "memory"  // of a tmpfs or memfd, or without a name any more
	FromUnknown = "unknown" // it could not be proven to be any of these
)

// Suspect tells whether a program of that provenance may have been made to exercise capabilities.
func Suspect(from string) bool { return from != FromImage }
