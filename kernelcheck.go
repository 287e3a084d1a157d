package dropcap

import (
	"time"

	"dropcap/caps"
)

// KernelCheck is one kind of capability check that a container's processes caused, counted in the
// kernel. It never enters a document; only the Needs derived from it by rules do.
type KernelCheck struct {
	Cgroup  uint64 // id of the container's own cgroup (its inode in the version 2 tree)
	Cap     caps.Cap
	Granted bool
	// Spent is set on a denied check of a process that had given up rights itself, for example by
	// changing its user: a larger bounding set would not have helped.
	Spent bool
	// Trial is set on a denied check that the kernel would have granted, and that a trial or a hold
	// denied.
	Trial bool
	// OwnCred is false if the kernel checked other credentials than the task's real ones: an
	// override such as overlayfs's mounter, or faccessat.
	OwnCred bool
	// Reach is the position of the user namespace that was checked: see the Reach constants.
	Reach Reach
	// Arg is the meaning of the system call's arguments, if a rule needs it: see the Arg constants.
	Arg Arg
	// name, "setuid"; empty if the number is unknown, or the check was made outside a system call
	Syscall string
	// Frames are the kernel functions of one call path, innermost first, without those that are
	// part of every check (cap_capable, security_capable, ns_capable …) and without compiler
	// suffixes (.isra.0).
	Frames []string
	Exe    Executable
	UID    uint32 // of one of the checks, in the initial user namespace
	Origin string // OriginInit (and descendants) or OriginExec
	Phase  string
	Asked  caps.Set // for capset: the capabilities that it requested; else empty
	Handed caps.Set // likewise, the newly requested inheritable set
	// what the programs held when first read: in their bounding, permitted or inheritable sets
	Held  caps.Set
	Count uint64
	// CountShared is set if several call paths share Count, of which Frames is one.
	CountShared bool
	First, Last time.Time
}

// Reach is the relation between the user namespace that was checked and the container's.
type Reach uint8

// The reaches. Beyond: no capability of the container can grant it.
const (
	ReachOwn    Reach = iota // the task's own user namespace
	ReachChild               // created below it
	ReachBeyond              // above or beside it
	ReachNested              // the task's own, created by the container itself
)

// Arg is what a system call's arguments add to the meaning of a check.
type Arg uint8

// The meanings of arguments.
const (
	ArgNone    Arg = iota
	ArgForeign     // set*id: an id that is neither the real, the effective nor the saved one
	// set*id: the saved (or real) id: needs no capability, but with one all three ids change
	ArgSaved
	ArgCurrent  // set*id: the current ids
	ArgSetIDBit // chmod and related calls: a mode with a setuid or setgid bit
	ArgNoSetID  // chmod and related calls: a mode without one
	ArgRaise    // setrlimit, prlimit: a hard limit above the current one
	ArgNoRaise  // setrlimit, prlimit: a hard limit that is not above
	// capset: the requested inheritable set is within, or beyond, the union of the task's
	// inheritable and permitted sets.
	ArgInheritWithin
	ArgInheritMore
	ArgLook    // prctl: reads the bounding set; no check is made
	ArgAmbient // prctl: raises an ambient capability; no check is made
)

// Executable is the file of a program.
type Executable struct {
	Path  string // in the container's root; empty if it could not be resolved
	Dev   uint64 // kernel device number and inode, which identify it in the kernel
	Inode uint64
	From  string // see the From constants; empty if not determined
	// Old is set if the file is not known to be the image's, but is in the container's root and has
	// not changed since the container started.
	Old bool
}
