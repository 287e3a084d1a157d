package evidence

import (
	"slices"

	"dropcap"
	"dropcap/caps"
)

// program is one executable in one part of a container's life.
type program struct {
	exe    dropcap.Executable
	origin string
}

// looks counts how often a program asked for each capability of the bounding set.
type looks map[caps.Cap]uint64

// naming leaves out what programs ask of their bounding set without meaning one capability, and
// what is not in it: then they went another way already.
func naming(checks []dropcap.KernelCheck) []dropcap.KernelCheck {
	all := map[program]looks{}
	for _, c := range checks {
		if c.Arg != dropcap.ArgLook {
			continue
		}
		p := program{c.Exe, c.Origin}
		if all[p] == nil {
			all[p] = looks{}
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

// names tells whether a program asked for a capability more often than it went through all of them,
// or looked for the last that there is, as libcap does in every program that it is linked to: by
// halves, so that it asks for some that do not exist and for few of the lower ones. Number 0 is
// asked for to learn whether the kernel knows the call, as libcap-ng does.
func (l looks) names(c caps.Cap) bool {
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
