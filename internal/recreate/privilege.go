package recreate

import (
	"slices"
)

// Deprivileged lists, in sentences, what else a privileged container loses when it becomes
// unprivileged. Nil if it is not privileged. moby daemon/oci_linux.go: WithDevices, WithSeccomp,
// WithApparmor, WithMounts (privileged), WithCgroups.
func (r *Recipe) Deprivileged() []string {
	if !r.host.Privileged {
		return nil
	}
	out := []string{
		"all devices of the host in /dev; it keeps those that are named with --device",
		"freedom from seccomp: the engine's default profile forbids mount, unshare, keyctl, bpf " +
			"and about forty more calls",
		"freedom from AppArmor: the profile docker-default applies, where the host has AppArmor",
		"masked and read-only paths: /proc/kcore, /proc/keys, /proc/sys, /proc/sysrq-trigger and " +
			"others are hidden or can no longer be written",
		"writing to /sys and to /sys/fs/cgroup, which become read-only",
	}
	if r.engineLabel() {
		out = append(out, "freedom from SELinux labels, where the host has SELinux")
	}
	return out
}

// engineLabel reports whether the engine has set "label=disable" because of --privileged (moby
// daemon/create.go, generateSecurityOpt).
func (r *Recipe) engineLabel() bool {
	return slices.Contains(r.host.SecurityOpt, "label=disable") && r.host.PidMode != "host" &&
		r.host.IpcMode != "host"
}

// deprivilege removes from a privileged container's host configuration what is there only because
// it was privileged. Masked and read-only paths become null, which makes the engine set its
// defaults.
func (r *Recipe) deprivilege(host object) {
	if !r.engineLabel() {
		return
	}
	rest := minus(r.host.SecurityOpt, []string{"label=disable"})
	host["SecurityOpt"] = join(rest)
	if len(rest) == 0 {
		host["SecurityOpt"] = join(nil)
	}
}
