package evidence

import (
	"slices"

	"dropcap"
	"dropcap/caps"
)

// program is one executable in one phase of a container's life.
type program struct {
	exe    dropcap.Executable
	origin string
}

// setReads counts how often a program asked for each capability of its bounding set.
type setReads map[caps.Cap]uint64

// naming removes reads of the bounding set that do not name one capability. It also removes reads
// of capabilities outside the set: those programs then took another path already.
func naming(checks []dropcap.KernelCheck) []dropcap.KernelCheck {
	all := map[program]setReads{}
	for _, c := range checks {
		if c.Arg != dropcap.ArgLook {
			continue
		}
		p := program{c.Exe, c.Origin}
		if all[p] == nil {
			all[p] = setReads{}
		}
		all[p][c.Cap] = sum(all[p][c.Cap], c.Count)
	}
	return slices.DeleteFunc(slices.Clone(checks), func(c dropcap.KernelCheck) bool {
		switch c.Arg {
		case dropcap.ArgLook:
			return !c.Granted || c.Cap > caps.Last || !all[program{c.Exe, c.Origin}].names(c.Cap)
		case dropcap.ArgAmbient:
			return c.Cap > caps.Last
		default:
			return false
		}
	})
}

// names reports whether a program asked for c in particular: more often than it read all
// capabilities. It disregards the search for the last capability, as in every program linked to
// libcap: a binary search, which asks for some that do not exist and for few of the lower ones. It
// disregards number 0, which libcap-ng reads to learn whether the kernel knows the call.
func (l setReads) names(c caps.Cap) bool {
	const many = 8
	var counts []uint64
	var beyond uint64
	for asked, n := range l {
		if asked > caps.Last {
			beyond = max(beyond, n)
		} else {
			counts = append(counts, n)
		}
	}
	if len(counts) >= many {
		slices.Sort(counts)
		return l[c] > counts[len(counts)/2]
	}
	const upperHalf = 32
	return c != caps.Chown && (c < upperHalf || l[c] > beyond)
}
