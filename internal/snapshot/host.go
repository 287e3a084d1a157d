package snapshot

import (
	"strconv"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// Machine describes this machine.
type Machine struct {
	Engine     bool   // the engine is reached through a socket of this machine
	ID         string // the machine-id
	Release    string // uname -r
	Cgroup     string // v1, v2 or hybrid
	LSM        []string
	Last       caps.Cap  // the kernel's last capability
	EngineCaps *caps.Set // the effective set of the engine's process; nil if unreadable
}

// limit returns the effective set of the engine's process, if it runs on this machine and is
// readable.
func (m Machine) limit(h dropcap.Host) *caps.Set {
	if m.Engine && m.Release == h.Kernel {
		return m.EngineCaps
	}
	return nil
}

// Settle completes the engine's description of its host: from this machine if the engine runs on
// it, else from its version.
func Settle(h dropcap.Host, here Machine) dropcap.Host {
	// A socket may lead into a virtual machine (Docker Desktop) or be forwarded to another host;
	// the kernel's release shows it.
	local := here.Engine && here.Release == h.Kernel
	if local {
		h.ID, h.Cgroup = or(here.ID, h.ID), or(here.Cgroup, h.Cgroup)
		h.LSM = here.LSM
	}
	if h.LSM == nil {
		h.LSM = []string{}
	}
	if h.Engine.Name != "docker" {
		return h
	}
	if h.Defaults == nil {
		d := caps.DockerDefaults
		h.Defaults = &d
	}
	if h.Grantable == nil {
		h.Grantable, h.GrantableFrom = grantable(h, here, local)
	}
	return h
}

// grantable returns what ALL means to a Docker Engine. Before 23.0 it is all names that the engine
// knows, as far as the kernel has them. Since then it is the effective set of the engine's process
// (moby daemon/pkg/oci/caps), which is smaller in a container or a hardened unit.
func grantable(h dropcap.Host, here Machine, local bool) (*caps.Set, string) {
	major, _, ok := version(h.Engine.Version)
	if !ok {
		return nil, ""
	}
	last := here.Last
	if !local {
		kmajor, kminor, ok := version(h.Kernel)
		if !ok {
			return nil, ""
		}
		last = caps.LastOf(kmajor, kminor)
	}
	if local && major >= 23 && here.EngineCaps != nil {
		return here.EngineCaps, "engine"
	}
	all := caps.AllFor(major, last)
	if local && major < 23 {
		return &all, "engine"
	}
	return &all, "assumed"
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// version parses the first two numbers of "20.10.24+dfsg1" or "6.1.0-18-cloud-amd64".
func version(s string) (major, minor int, ok bool) {
	a, rest, found := strings.Cut(s, ".")
	if !found {
		return 0, 0, false
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	major, err1 := strconv.Atoi(a)
	minor, err2 := strconv.Atoi(rest[:end])
	return major, minor, err1 == nil && err2 == nil
}
