package image

import (
	"encoding/binary"
	"fmt"

	"dropcap/caps"
)

// Capabilities are those that a file grants to whoever executes it (capabilities(7), file
// capabilities).
type Capabilities struct {
	Permitted   caps.Set
	Inheritable caps.Set
	// they are raised at once, and execve fails unless all permitted ones are available
	Effective bool
	RootID    uint32 // they count only where this host id is root; revision 3 only, else 0
}

// The layout of the attribute (include/uapi/linux/capability.h, struct vfs_cap_data and
// vfs_ns_cap_data): 32-bit numbers, little-endian.
const (
	revisionMask  = 0xff000000
	effectiveFlag = 0x00000001
)

// revisions says how many halves of each set an attribute contains, and whether an id follows.
var revisions = map[uint32]struct {
	halves int
	rootID bool
}{0x01000000: {1, false}, 0x02000000: {2, false}, 0x03000000: {2, true}}

// ParseCapabilities parses the value of the attribute security.capability. It rejects what the
// kernel rejects too.
func ParseCapabilities(value []byte) (Capabilities, error) {
	if len(value) < 4 {
		return Capabilities{}, fmt.Errorf("%d bytes are no file capabilities", len(value))
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(value[4*i:]) }
	r, ok := revisions[word(0)&revisionMask]
	size := 4 + 8*r.halves
	if r.rootID {
		size += 4
	}
	if !ok || len(value) != size {
		return Capabilities{}, fmt.Errorf("%d bytes of revision %d are no file capabilities",
			len(value), word(0)>>24)
	}
	c := Capabilities{Effective: word(0)&effectiveFlag != 0}
	for half := range r.halves {
		c.Permitted |= caps.Set(word(1+2*half)) << (32 * half)
		c.Inheritable |= caps.Set(word(2+2*half)) << (32 * half)
	}
	if r.rootID {
		c.RootID = word(5)
	}
	return c, nil
}
