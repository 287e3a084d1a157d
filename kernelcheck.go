package dropcap

import (
	"time"

	"dropcap/caps"
)

// KernelCheck is one kind of capability check that a container's processes caused, counted in the
// kernel. It never enters a document: the classes that rules give it do, as Needs.
type KernelCheck struct {
	Cgroup  uint64 // id of the container's own cgroup (its inode in the version 2 tree)
	Cap     caps.Cap
	Granted bool
	// Spent is set on a denied check of a process that had less than the container's bounding set,
	// since it gave rights up by itself (as it does by becoming another user): with a larger
	// bounding set the check would have been denied as well.
	Spent bool
	// OwnCred is false when the kernel asked with other credentials than the task's real ones: an
	// override such as overlayfs's mounter, or faccessat.
	OwnCred bool
	// Reach tells where the user namespace that was asked about lies: see the Reach constants.
	Reach Reach
	// Arg is what the system call's arguments say, where a rule needs it: see the Arg constants.
	Arg Arg
	// name, "setuid"; empty if the number has none here, or the check came from outside a system
	// call
	Syscall string
	// Frames are the kernel functions of one call path, innermost first, without those that every
	// check passes through (cap_capable, security_capable, ns_capable …) and without compiler
	// suffixes (.isra.0).
	Frames []string
	Exe    Executable
	UID    uint32 // of one of the checks, in the initial user namespace
	Origin string // OriginInit (and descendants) or OriginExec
	Phase  string
	Asked  caps.Set // for capset: the capabilities that it asked to have; else empty
	Handed caps.Set // likewise, what it newly asked to hand on (the inheritable set)
	// what the programs held when they were first looked at: in their bounding, permitted or
	// inheritable sets
	Held  caps.Set
	Count uint64
	// CountShared is set when Count is of the key, and Frames is one of several paths seen under
	// it.
	CountShared bool
	First, Last time.Time
}

// Reach is the relation of the namespace that a check asked about to the container's.
type Reach uint8

// The reaches. Beyond: no capability of the container can grant it.
const (
	ReachOwn    Reach = iota // the task's own user namespace
	ReachChild               // one that was made below it
	ReachBeyond              // above or beside it
	ReachNested              // the task's own, and the container has made that itself
)

// Arg is what the arguments of a system call say about the meaning of a check.
type Arg uint8

// The arguments' meanings.
const (
	ArgNone    Arg = iota
	ArgForeign     // set*id: an id that is neither the real, the effective nor the saved one
	// set*id: the saved (or real) id, which needs no capability, but with it changes all three
	ArgSaved
	ArgCurrent  // set*id: the ids that it has
	ArgSetIDBit // chmod and kin: a mode with a setuid or setgid bit
	ArgNoSetID  // chmod and kin: a mode without
	ArgRaise    // setrlimit, prlimit: a hard limit above the present one
	ArgNoRaise  // setrlimit, prlimit: not above
	// capset: the inheritable set that is asked for is within, or beyond, the union of the task's
	// inheritable and permitted ones.
	ArgInheritWithin
	ArgInheritMore
	ArgLook    // prctl: whether one is in the bounding set; no check is made
	ArgAmbient // prctl: one is raised to the ambient set; no check is made
)

// Executable is a program's file.
type Executable struct {
	Path  string // in the container's root; empty if it could not be resolved
	Dev   uint64 // kernel device number and inode: what names it in the kernel
	Inode uint64
	From  string // see the From constants; empty if nobody has looked
	// Old is set where it is not known to be the image's, but lies in the container's own root and
	// has not been changed since the container was started.
	Old bool
}
