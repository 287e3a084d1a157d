package dropcap

// Where a program's file comes from. The rule: it is the image's only if path, inode and content
// are proven to be the image's. On an overlay, the file is then in a lower layer and has no part in
// the upper one.
const (
	FromImage   = "image"
	FromVolume  = "volume"  // from something mounted into the container
	FromWritten = "written" // created or changed in the container
	FromMemory  = "memory"  // from a tmpfs or memfd, or no longer linked
	FromUnknown = "unknown" // it could not be proven to be any of these
)

// Suspect reports whether a program of that provenance may exist only to exercise capabilities.
func Suspect(from string) bool { return from != FromImage }
