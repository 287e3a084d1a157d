package kernel

import (
	"path/filepath"
	"strconv"
	"strings"

	"dropcap/caps"
)

// Host describes this machine. A field is empty if it cannot be read.
type Host struct {
	ID      string   // machine-id(5)
	Name    string   // the hostname
	Release string   // as uname -r
	Cgroup  string   // "v1", "v2" or "hybrid"
	LSM     []string // the active security modules, in order
	LastCap caps.Cap // the kernel's last capability
}

// Host reads the description of this machine.
func (r *Reader) Host() Host {
	h := Host{
		ID:      r.machineID(),
		Name:    firstLine(filepath.Join(r.proc, "sys/kernel/hostname")),
		Release: firstLine(filepath.Join(r.proc, "sys/kernel/osrelease")),
		Cgroup:  cgroupMode(r.trees),
	}
	if list := firstLine(filepath.Join(r.root, "sys/kernel/security/lsm")); list != "" {
		h.LSM = strings.Split(list, ",")
	}
	h.LastCap = r.lastCap(h.Release)
	return h
}

// Boot returns the id of this boot of the machine (random(4), boot_id); empty if unknown.
func (r *Reader) Boot() string {
	return firstLine(filepath.Join(r.proc, "sys/kernel/random/boot_id"))
}

// machineID returns the id that survives reboots. An image that was never booted has
// "uninitialized" there.
func (r *Reader) machineID() string {
	for _, file := range []string{"etc/machine-id", "var/lib/dbus/machine-id"} {
		id := strings.TrimSpace(firstLine(filepath.Join(r.root, file)))
		if len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" {
			return id
		}
	}
	return ""
}

// lastCap asks the kernel for its last capability, and falls back on its version.
func (r *Reader) lastCap(release string) caps.Cap {
	n, err := strconv.ParseUint(firstLine(filepath.Join(r.proc, "sys/kernel/cap_last_cap")), 10, 8)
	if err == nil && n < 64 {
		return caps.Cap(n)
	}
	major, rest, _ := strings.Cut(release, ".")
	minor, _, _ := strings.Cut(rest, ".")
	ma, errMajor := strconv.Atoi(major)
	mi, errMinor := strconv.Atoi(minor)
	if errMajor != nil || errMinor != nil {
		return caps.Last
	}
	return caps.LastOf(ma, mi)
}
