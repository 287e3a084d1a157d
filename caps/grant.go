package caps

import "fmt"

// All stands for every capability in CapAdd and CapDrop.
const All = "ALL"

// DockerDefaults is what Docker grants to a container that declares nothing: 14 capabilities, mask
// a80425fb, unchanged from 19.03 to 29 (moby oci/caps/defaults.go, DefaultCapabilities).
// daemon.json cannot change it.
const DockerDefaults = Set(0xa80425fb)

// DockerLegacyKnown holds every capability that Docker before 23.0 knows: up to CAP_AUDIT_READ,
// whatever the kernel offers.
var DockerLegacyKnown = UpTo(AuditRead)

// Declared holds the capability settings of a container's configuration, names exactly as stored.
// It keeps null and the empty list apart, as engines do, although both mean the same.
type Declared struct {
	Privileged bool     `json:"privileged"`
	Add        []string `json:"cap_add"`
	Drop       []string `json:"cap_drop"`
}

// Grants describes what an engine grants by default and what it can grant on its host.
type Grants struct {
	Defaults Set // granted when nothing is declared
	All      Set // what ALL and privileged mean to this engine
}

// Predict computes the bounding set of a container's first process. It follows the engine's
// arithmetic in the engine's order (moby oci/caps/utils.go, TweakCapabilities, one algorithm since
// 19.03). The error names a capability that every engine rejects; then there is nothing to predict.
func (g Grants) Predict(d Declared) (Set, error) {
	if d.Privileged {
		return g.All, nil // the engine does not read the lists
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
		// ALL among the drops is not a capability's name, so it drops nothing here
		return g.All.Minus(drop), nil
	case dropAll:
		return add, nil
	default:
		return g.Defaults.Minus(drop) | add, nil // so an add wins over a drop
	}
}

// read parses one list and reports whether it contains ALL.
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
			// engines do not accept numbers
			return 0, false, fmt.Errorf("%q is no name of a capability", n)
		}
		s |= 1 << c
	}
	return s, all, nil
}

// AllFor guesses what ALL means where the engine's own effective set cannot be read. Docker before
// 23.0 grants what it knows, up to the kernel's last capability. Later engines grant their own
// effective set (moby oci/caps/utils_linux.go), which on an ordinary host is everything that the
// kernel has.
func AllFor(engineMajor int, kernelLast Cap) Set {
	if engineMajor < 23 {
		return DockerLegacyKnown & UpTo(kernelLast)
	}
	return UpTo(kernelLast)
}

// LastOf returns the last capability of a kernel version: 3.16 added AUDIT_READ, 5.8 BPF and
// PERFMON, 5.9 CHECKPOINT_RESTORE.
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
