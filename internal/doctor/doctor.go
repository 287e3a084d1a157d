// Package doctor says what a host offers of what dropcap stands on, and how to get the rest. It
// mends nothing.
package doctor

import (
	"context"
	"time"

	"dropcap"
)

// Deps is what Examine asks. Each function is called at most once; one that is nil is taken as
// "cannot be known" and its check is left out.
type Deps struct {
	Now  func() time.Time // time.Now if nil
	Root bool             // runs as root

	// Engine connects to the engine and describes it and its host; the error tells a person why
	// that does not work.
	Engine func(ctx context.Context) (dropcap.Host, error)
	// Socket is the engine's address and, for a unix socket, whether this user may write to it (nil
	// or what the kernel says).
	Socket func() (address string, err error)
	// Local adds what this machine says of itself, or does nothing where the engine is elsewhere.
	Local func(*dropcap.Host)
	// Running gives the running containers with what the kernel says of them; not called when the
	// engine cannot be reached.
	Running func(ctx context.Context) ([]dropcap.Container, error)
	// LiveRestore tells whether containers outlive a restart of the daemon; not called when the
	// engine cannot be reached.
	LiveRestore func(ctx context.Context) (bool, error)
	// Tracing tells what eBPF can do here.
	Tracing func(ctx context.Context) Tracing
	// Disk gives the room for the store's folder.
	Disk  func(folder string) (Disk, error)
	Store string // the store's folder; /var/lib/dropcap if empty
}

// Tracing is what eBPF can do.
type Tracing struct {
	BTF      bool
	Lockdown string // "none", "integrity", "confidentiality", or empty if it cannot be known
	Hooks    []Hook // in the order of preference
}

// Hook is a place in the kernel where capability checks could be watched.
type Hook struct {
	Name   string
	OK     bool
	Why    string // why not, one clause
	Usable bool   // it sees every check with its verdict, so that learn can stand on it alone
}

// Disk is the room for a folder.
type Disk struct {
	Folder   string // the nearest parent that exists
	Free     uint64 // bytes that this user may still write
	ReadOnly bool
}

// DefaultStore is the folder of evidence and changes.
const DefaultStore = "/var/lib/dropcap"

// The verbs that stand on something.
const (
	verbAudit = "audit"
	verbLearn = "learn"
	verbApply = "apply"
)

// Examine asks everything, and makes a report that is complete whatever fails.
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
