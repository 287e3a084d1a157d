package caps

import "fmt"

// All is the word that stands for every capability in CapAdd and CapDrop.
const All = "ALL"

// DockerDefaults is what Docker grants when a container declares nothing: 14 capabilities, mask a80425fb, the same from 19.03 to 29
// (moby oci/caps/defaults.go, DefaultCapabilities). daemon.json cannot change it.
const DockerDefaults = Set(0xa80425fb)

// DockerLegacyKnown is every name that Docker before 23.0 knows: up to CAP_AUDIT_READ, whatever the kernel offers.
var DockerLegacyKnown = UpTo(AuditRead)

// Declared is what a container's configuration says, names exactly as stored: an engine keeps null and the empty list apart, and so does
// this, though they mean the same.
type Declared struct {
	Privileged bool     `json:"privileged"`
	Add        []string `json:"cap_add"`
	Drop       []string `json:"cap_drop"`
}

// Grants is what an engine on its host can grant, and does by default.
type Grants struct {
	Defaults Set // granted when nothing is declared
	All      Set // what ALL and privileged mean to this engine
}

// Predict computes the bounding set of a container's first process: the engine's arithmetic (moby oci/caps/utils.go,
// TweakCapabilities, one algorithm since 19.03), in its order. The error names a capability that no engine would have accepted; then
// nothing can be predicted.
func (g Grants) Predict(d Declared) (Set, error) {
	if d.Privileged {
		return g.All, nil // the lists are not even read
	}
	add, addAll, err := read(d.Add)
	if err != nil {
		return 0, fmt.Errorf("CapAdd: %w", err)
	}
	drop, dropAll, err := read(d.Drop)
	if err != nil {
		return 0, fmt.Errorf("CapDrop: %w", err)
	}
	switch {
	case addAll:
		return g.All.Minus(drop), nil // ALL in the drops is no name of a capability, so it takes nothing away here
	case dropAll:
		return add, nil
	default:
		return g.Defaults.Minus(drop) | add, nil // so an add wins over a drop
	}
}

// read resolves one list: its members and whether ALL stands in it.
func read(list []string) (s Set, all bool, err error) {
	for _, n := range list {
		if normal(n) == All {
			all = true
			continue
		}
		c, err := Parse(n)
		if err != nil {
			return 0, false, err
		}
		if c > Last {
			return 0, false, fmt.Errorf("%q is no name of a capability", n) // engines know no names by number
		}
		s |= 1 << c
	}
	return s, all, nil
}

// AllFor guesses what ALL means when the engine's own effective set cannot be read: to Docker before 23.0 what it knows, within the
// kernel's last capability; later engines use their own effective set (moby oci/caps/utils_linux.go), which on an ordinary host is
// everything that the kernel has.
func AllFor(engineMajor int, kernelLast Cap) Set {
	if engineMajor < 23 {
		return DockerLegacyKnown & UpTo(kernelLast)
	}
	return UpTo(kernelLast)
}

// LastOf tells the last capability of a kernel by its version: BPF and PERFMON came with 5.8, CHECKPOINT_RESTORE with 5.9,
// AUDIT_READ with 3.16.
func LastOf(major, minor int) Cap {
	switch v := major*1000 + minor; {
	case v >= 5009:
		return CheckpointRestore
	case v >= 5008:
		return BPF
	default:
		return AuditRead
	}
}
