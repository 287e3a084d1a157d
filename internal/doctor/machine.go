package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func (x *exam) cgroup() {
	if x.host.Cgroup == "" {
		x.warning("cgroup", "no cgroup tree is mounted here, or the engine is elsewhere: "+
			"processes are found by reading all of /proc",
			"run on the engine's host; in a container with /sys/fs/cgroup mounted", verbLearn)
		return
	}
	if why := Untraceable(x.host.Engine.Name, x.host.Cgroup); why != "" {
		x.warning("cgroup", x.host.Cgroup+": "+why, "boot with systemd.unified_cgroup_hierarchy=1",
			verbLearn)
		return
	}
	x.ok("cgroup", x.host.Cgroup, verbLearn)
}

// Untraceable returns, in one clause, why an engine's containers cannot be told apart in the
// kernel, which requires cgroups of version 2; empty if they can. runc creates a container's cgroup
// in the version 2 tree of a hybrid host too, crun does not.
func Untraceable(engine, cgroup string) string {
	switch {
	case cgroup == "v1":
		return "without a cgroup tree of version 2 the containers' capability checks cannot be " +
			"told apart, so nothing can be learned of them"
	case cgroup == "hybrid" && engine == "podman":
		return "on a host with both cgroup versions Podman puts containers into version 1 only, " +
			"so their capability checks cannot be told apart"
	}
	return ""
}

// tracing reports the hook that learning would use, and the state of each for the curious.
func (x *exam) tracing() {
	if x.d.Tracing == nil {
		return
	}
	t := x.d.Tracing(x.ctx)
	if t.BTF {
		x.ok("BTF", "/sys/kernel/btf/vmlinux", verbLearn)
	} else {
		x.missing("BTF", "no /sys/kernel/btf/vmlinux",
			"boot a kernel built with CONFIG_DEBUG_INFO_BTF, as Debian 11 and newer have",
			verbLearn)
	}
	if t.Lockdown == "confidentiality" {
		x.warning("lockdown", "confidentiality: eBPF may not read the kernel's memory",
			"boot with lockdown=integrity", verbLearn)
	}
	used := slices.IndexFunc(t.Hooks, func(h Hook) bool { return h.OK && h.Usable })
	if used >= 0 {
		x.ok("eBPF", t.Hooks[used].Name+" will be used", verbLearn)
	} else {
		x.missing("eBPF", "no program that sees capability checks loads", x.tracingRemedy(t),
			verbLearn)
	}
	x.denying(t)
	for _, h := range t.Hooks {
		if h.OK {
			x.ok("hook "+h.Name, "loads and attaches")
		} else {
			x.warning("hook "+h.Name, h.Why, "")
		}
	}
}

// denying reports the hook at which a trial or a hold would deny.
func (x *exam) denying(t Tracing) {
	used := slices.IndexFunc(t.Hooks, func(h Hook) bool { return h.OK && h.Denies })
	if used >= 0 {
		x.ok("trial", "capabilities can be denied at "+t.Hooks[used].Name, verbTrial, verbHold)
		return
	}
	why := "this kernel has no hook where a capability can be denied"
	var refused []string
	for _, h := range t.Hooks {
		if h.Denies {
			refused = append(refused, h.Name+": "+h.Why)
		}
	}
	if len(refused) > 0 {
		why = "no capability can be denied: " + strings.Join(refused, "; ")
	}
	remedy := `use a kernel that lets fmod_ret programs attach, or add "bpf" to the kernel's ` +
		"lsm= parameter, after what /sys/kernel/security/lsm shows"
	if !x.d.Root {
		remedy = "run dropcap with sudo"
	}
	x.missing("trial", why, remedy, verbTrial, verbHold)
}

func (x *exam) tracingRemedy(t Tracing) string {
	switch {
	case !x.d.Root:
		return "run dropcap with sudo"
	case !t.BTF:
		return "boot a kernel with BTF or with kprobes"
	default:
		return "run outside containers, or with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN; the " +
			"hooks below say what refused"
	}
}

func (x *exam) lsm() {
	if len(x.host.LSM) == 0 {
		x.warning("LSM", "the list of security modules cannot be read",
			"mount -t securityfs securityfs /sys/kernel/security")
		return
	}
	x.ok("LSM", strings.Join(x.host.LSM, ","))
}

// The store grows by kilobytes for each change and each hour of learning; below the lower bound
// SQLite may fail in the middle of a change.
const (
	roomLow  = 256 << 20
	roomNone = 16 << 20
)

func (x *exam) disk() {
	if x.d.Disk == nil {
		return
	}
	const name = "store"
	folder := x.d.Store
	if folder == "" {
		folder = DefaultStore
	}
	room, err := x.d.Disk(folder)
	if err != nil {
		x.warning(name, fmt.Sprintf("cannot tell the room for %s: %v", folder, err), "", verbLearn,
			verbApply)
		return
	}
	detail := fmt.Sprintf("%s free for %s", size(room.Free), folder)
	if room.Folder != folder {
		detail += fmt.Sprintf(" (not there yet; measured at %s)", room.Folder)
	}
	switch {
	case room.ReadOnly:
		x.missing(name, room.Folder+" is on a read-only file system",
			"keep the store on a file system that can be written", verbLearn, verbApply)
	case room.Free < roomNone:
		x.missing(name, detail, "make room, at least "+size(roomLow), verbLearn, verbApply)
	case room.Free < roomLow:
		x.warning(name, detail, "make room, at least "+size(roomLow), verbLearn, verbApply)
	default:
		x.ok(name, detail, verbLearn, verbApply)
	}
}

func size(n uint64) string {
	const mi, gi = 1 << 20, 1 << 30
	if n >= 10*gi {
		return fmt.Sprintf("%d GiB", n/gi)
	}
	return fmt.Sprintf("%d MiB", n/mi)
}

// clock checks the time: waivers expire by it and evidence is dated by it. A machine without a
// battery starts in 1970.
func (x *exam) clock(now time.Time) {
	const earliest = 2025
	if now.Year() < earliest {
		x.warning("clock", now.Format(time.RFC3339)+" is in the past: waivers would not expire",
			"set the clock, for example with chrony",
			verbAudit, verbLearn, verbApply)
		return
	}
	x.ok("clock", now.Format(time.RFC3339), verbAudit, verbLearn, verbApply)
}
