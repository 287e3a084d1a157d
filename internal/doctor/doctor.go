// Package doctor reports which of dropcap's requirements a host meets, and how to meet the others.
// It changes nothing.
package doctor

import (
	"context"
	"time"

	"dropcap"
)

// Deps holds the functions that Examine calls, each at most once. A nil function means that the
// answer is unknown, and its check is left out.
type Deps struct {
	Now  func() time.Time // time.Now if nil
	Root bool             // dropcap runs as root

	// Engine connects to the engine and describes it and its host; the error explains to a person
	// why that fails.
	Engine func(ctx context.Context) (dropcap.Host, error)
	// Socket returns the engine's address and, for a unix socket, whether this user may write to it
	// (nil or the kernel's error).
	Socket func() (address string, err error)
	// Local adds what this machine reports about itself, or nothing if the engine is elsewhere.
	Local func(*dropcap.Host)
	// Running returns the running containers with what the kernel reports about them. It is not
	// called if the engine is unreachable.
	Running func(ctx context.Context) ([]dropcap.Container, error)
	// LiveRestore reports whether containers survive a restart of the daemon. It is not called if
	// the engine is unreachable.
	LiveRestore func(ctx context.Context) (bool, error)
	// Tracing reports what eBPF can do here.
	Tracing func(ctx context.Context) Tracing
	// Disk returns the room for the store's folder.
	Disk  func(folder string) (Disk, error)
	Store string // the store's folder; /var/lib/dropcap if empty
}

// Tracing describes what eBPF can do.
type Tracing struct {
	BTF      bool
	Lockdown string // "none", "integrity", "confidentiality", or empty if unknown
	Hooks    []Hook // in order of preference
}

// Hook is a place in the kernel where capability checks could be watched.
type Hook struct {
	Name   string
	OK     bool
	Why    string // why not, one clause
	Usable bool   // it sees every check with its verdict, so it suffices for learn
	Denies bool   // a check can be denied there, so it suffices for trial and hold
}

// Disk is the room for a folder.
type Disk struct {
	Folder   string // the nearest existing parent
	Free     uint64 // bytes that this user may still write
	ReadOnly bool
}

// DefaultStore is the folder of evidence and changes.
const DefaultStore = "/var/lib/dropcap"

// The verbs that have requirements.
const (
	verbAudit = "audit"
	verbLearn = "learn"
	verbApply = "apply"
	verbTrial = "trial"
	verbHold  = "hold"
)

// Examine runs every check, and returns a report that is complete whatever fails.
func Examine(ctx context.Context, d Deps) dropcap.Report {
	if d.Now == nil {
		d.Now = time.Now
	}
	now := d.Now().UTC()
	x := &exam{ctx: ctx, d: d, checks: []dropcap.Check{}}
	if d.Engine != nil {
		x.host, x.unreachable = d.Engine(ctx)
	}
	if d.Local != nil {
		d.Local(&x.host)
	}
	x.engine()
	x.socket()
	x.root()
	x.processes()
	x.cgroup()
	x.tracing()
	x.lsm()
	x.liveRestore()
	x.disk()
	x.clock(now)
	return dropcap.Report{Schema: dropcap.SchemaDoctor, Created: now.Format(time.RFC3339),
		Host: x.host, Checks: x.checks}
}

// exam is one examination.
type exam struct {
	ctx         context.Context
	d           Deps
	host        dropcap.Host
	unreachable error
	checks      []dropcap.Check
}

func (x *exam) ok(name, detail string, needed ...string) {
	x.say(dropcap.CheckOK, name, detail, "", needed)
}

func (x *exam) missing(name, detail, remedy string, needed ...string) {
	x.say(dropcap.CheckMissing, name, detail, remedy, needed)
}

func (x *exam) warning(name, detail, remedy string, needed ...string) {
	x.say(dropcap.CheckWarning, name, detail, remedy, needed)
}

func (x *exam) say(s dropcap.CheckStatus, name, detail, remedy string, needed []string) {
	if needed == nil {
		needed = []string{}
	}
	x.checks = append(x.checks, dropcap.Check{Name: name, Status: s, Detail: detail, Remedy: remedy,
		Needed: needed})
}
