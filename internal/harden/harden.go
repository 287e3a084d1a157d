// Package harden takes workloads from what they hold to their least set over days: it learns,
// tries, changes and watches, one workload at a time, and takes back what goes wrong. Step decides
// and does nothing; Runner does what Step says, through World. It never grants anything, never has
// two changes under way, and never acts before what it is about to do is stored.
package harden

import (
	"context"
	"errors"
	"time"

	"dropcap"
	"dropcap/caps"
)

// World is one host as hardening sees and changes it.
type World interface {
	// Refresh looks at the host once for all workloads. An error means that nothing is known now,
	// such as an engine that does not answer.
	Refresh(ctx context.Context) error
	// Look returns what is known of one workload. It asks no more than it must: Plan is left nil.
	Look(ctx context.Context, h dropcap.Hardening) (View, error)
	// Plan returns what could be dropped now, and what speaks against it.
	Plan(ctx context.Context, h dropcap.Hardening) (Proposal, error)
	// Try begins a trial of all running containers of the workload and returns at once.
	Try(ctx context.Context, h dropcap.Hardening, drop caps.Set) error
	// EndTrial ends it. It is no error if there is none.
	EndTrial(ctx context.Context, h dropcap.Hardening) error
	// Restart restarts the workload's containers, so that a stop and a start are seen.
	Restart(ctx context.Context, h dropcap.Hardening) error
	// Change drops those capabilities. Its result is the Change that the next Look shows; the error
	// says why there is none.
	Change(ctx context.Context, h dropcap.Hardening, drop caps.Set) error
	// Backout takes the workload's last change back.
	Backout(ctx context.Context, h dropcap.Hardening) error
	// Recover finishes a change that was interrupted.
	Recover(ctx context.Context) error
}

// ErrNotNow means that something could not be done for a reason that passes by itself and says
// nothing about the workload: no engine answers, or another dropcap changes containers now.
var ErrNotNow = errors.New("not now")

// Book keeps hardenings. What Keep has returned without an error outlives a loss of power.
type Book interface {
	Hardenings(ctx context.Context) ([]dropcap.Hardening, error)
	// KeepHardening replaces was, which Hardenings has returned, by is. The error is ErrChanged if
	// it is not was any more: a person has asked for something meanwhile.
	KeepHardening(ctx context.Context, was, is dropcap.Hardening) error
}

// View is what there is to be seen of a workload.
type View struct {
	Containers []string // names of its containers, running or not
	Running    int      // how many of them run
	Revision   string   // of the newest; empty if unknown
	Holds      caps.Set // what any of them is granted
	// Learned is for how long this revision was watched, in seconds.
	Learned int64
	// NotLearning says why nothing records what it does; empty if something does.
	NotLearning string

	// CannotTry says why this host cannot try; empty if it can.
	CannotTry string
	Trial     *dropcap.Trial // the last one of this revision
	Ours      bool           // Trial was begun by Try
	Tried     []dropcap.Tried

	Change *dropcap.Change // the last one of the workload
	// Denied says which decisive check failed since the last change for want of Missed; empty if
	// none did.
	Denied string
	Missed caps.Set
	// Unwell says that it ended, restarts by itself or is unhealthy; empty if it is well.
	Unwell string

	Plan *Proposal
	// Failed is why the last thing that was to be done could not be; nil if it was done.
	Failed error
	// Elapsed is how long it was observed since the last look, by a clock that does not jump.
	Elapsed time.Duration
}

// trying reports whether something is denied to the workload now.
func (v View) trying() bool { return v.Trial != nil && !v.Trial.State.Over() }

// Proposal is what a plan says of a workload.
type Proposal struct {
	Drop, Required caps.Set
	// Sure is set if the evidence is of high confidence or tried, or would be so with a first start
	// that the change does not cause.
	Sure bool
	// Missing says what it lacks to be sure, in clauses.
	Missing string
	// Start is set if a start must be seen before the evidence can be relied on; Stop if that, or a
	// stop, is what it lacks to be sure.
	Start, Stop bool
	// Early is set if only more time is missing.
	Early bool
	// Doubt says why the evidence cannot be relied on; empty if it can.
	Doubt dropcap.Refusal
	// Refused is what else speaks against the change; empty if nothing does.
	Refused dropcap.Refusal
}

// Deed is what is to be done.
type Deed int

// The deeds. Ask: Step must be called again with a plan.
const (
	Nothing Deed = iota
	Ask
	Try
	EndTrial
	Restart
	Change
	Backout
	Recover
)

// Action is a deed, and for Try and Change what to deny or drop.
type Action struct {
	Deed Deed
	Drop caps.Set
}

// The limits.
const (
	// MostAttempts is how often a change or trial of one revision may fail before a person is
	// needed.
	MostAttempts = 3
	// MostRestarts is how often a container is restarted to see it start.
	MostRestarts = 2
	// MostReverted is how often somebody may undo a change before a person is needed.
	MostReverted = 3
	// Again is after how long something that holds up is looked at again.
	Again = time.Hour
	// Settle is how long after a restart the evidence of it is waited for.
	Settle = time.Minute
	// Absent is how long a workload may have no container before it counts as gone: owners make
	// theirs again.
	Absent = 10 * time.Minute
	// mostEvents bounds a timeline.
	mostEvents = 100
)
