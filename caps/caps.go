// Package caps knows Linux capabilities: their names and numbers, sets of them, what an engine
// grants for a declaration, and what each lets an attacker do. It is arithmetic and tables only: it
// never reads a file, a process or an engine.
package caps

import (
	"fmt"
	"strconv"
	"strings"
)

// Cap is a capability's number, 0 to 63 (linux/capability.h). Numbers above [Last] belong to
// kernels newer than this table.
type Cap uint8

// Last is the highest capability that has a name here: CAP_CHECKPOINT_RESTORE, since Linux 5.9.
const Last = CheckpointRestore

// The capabilities, in the kernel's order (include/uapi/linux/capability.h, capabilities(7)).
const (
	Chown Cap = iota
	DacOverride
	DacReadSearch
	Fowner
	Fsetid
	Kill
	Setgid
	Setuid
	Setpcap
	LinuxImmutable
	NetBindService
	NetBroadcast
	NetAdmin
	NetRaw
	IpcLock
	IpcOwner
	SysModule
	SysRawio
	SysChroot
	SysPtrace
	SysPacct
	SysAdmin
	SysBoot
	SysNice
	SysResource
	SysTime
	SysTtyConfig
	Mknod
	Lease
	AuditWrite
	AuditControl
	Setfcap
	MacOverride
	MacAdmin
	Syslog
	WakeAlarm
	BlockSuspend
	AuditRead
	Perfmon
	BPF
	CheckpointRestore
)

var names = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN",
	"CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD", "CAP_LEASE",
	"CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN",
	"CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

var byName = func() map[string]Cap {
	m := make(map[string]Cap, len(names))
	for i, n := range names {
		m[n] = Cap(i)
	}
	return m
}()

// String returns the form used in documents: "CAP_NET_RAW", or "CAP_41" for a number without a
// name, as the kernel's tools print it.
func (c Cap) String() string {
	if int(c) < len(names) {
		return names[c]
	}
	return "CAP_" + strconv.Itoa(int(c))
}

// Short returns the form used in docker's flags: "NET_RAW".
func (c Cap) Short() string { return strings.TrimPrefix(c.String(), "CAP_") }

// Parse reads a capability's name as people write it: in any case, with or without CAP_, or as
// "CAP_41" for a number without a name. It trims no spaces, because the engine does not either. The
// error names the nearest known name.
func Parse(name string) (Cap, error) {
	n := normal(name)
	if c, ok := byName[n]; ok {
		return c, nil
	}
	digits := strings.TrimPrefix(n, "CAP_")
	if v, err := strconv.ParseUint(digits, 10, 8); err == nil && v > uint64(Last) && v < 64 &&
		strconv.FormatUint(v, 10) == digits {
		return Cap(v), nil
	}
	if near, ok := Nearest(name); ok {
		return 0, fmt.Errorf("%q is not a capability; did you mean %s?", name, near.Short())
	}
	return 0, fmt.Errorf("%q is not a capability", name)
}

// normal normalizes a name as the engine does before it looks it up: upper case and the prefix
// (moby oci/caps/utils.go, NormalizeLegacyCapabilities). "ALL" stays as it is.
func normal(name string) string {
	n := strings.ToUpper(name)
	if n == All || strings.HasPrefix(n, "CAP_") {
		return n
	}
	return "CAP_" + n
}

// MarshalText returns the form used in documents.
func (c Cap) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText accepts every spelling that Parse accepts.
func (c *Cap) UnmarshalText(b []byte) (err error) {
	*c, err = Parse(string(b))
	return err
}
