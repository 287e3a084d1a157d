// Package apply changes containers, one at a time, so that at every moment what was there before
// can be put back: also after the loss of power, of the engine or of dropcap itself. It never
// removes a container that has proven itself, never removes a volume, and never lets two of old and
// new run at once.
//
// All that it does to the world are effects (dropcap.Effect). Before the switch each must succeed,
// or nothing has happened: what was made is removed again. From the switch on, the engine's state
// is the truth and the journal's only a memory: a note that cannot be written (a full disk) stops
// neither the way forward nor the way back, since recover comes to the same end without it.
package apply

import (
	"context"
	"encoding/json"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/recreate"
)

// Executor performs effects. The context limits the time of one. An error with a Status is the
// engine's refusal; with a Status of 0, it is unknown whether the effect was done.
type Executor interface {
	Do(ctx context.Context, e dropcap.Effect) (dropcap.Result, error)
}

// Journal reads what the notes have recorded.
type Journal interface {
	// those that are not over, newest first
	Unfinished(ctx context.Context) ([]dropcap.Change, error)
	Changes(ctx context.Context) ([]dropcap.Change, error) // all, newest first
	Kept(ctx context.Context, change string) (map[string]json.RawMessage, error)
}

// Watcher tells of capability checks that were denied, where the kernel can be asked.
type Watcher interface {
	// Denied names the first check of a dropped capability that the new container of a change
	// (After) was denied since its start, that decides something, and that the old one was granted:
	// "nginx needed CAP_SETGID at setgroups". Empty if there was none.
	Denied(ctx context.Context, c dropcap.Change, dropped caps.Set) (string, error)
}

// Job is a step with all that is needed to apply it. Its data comes from the engine, not from a
// plan's file.
type Job struct {
	Plan     string // its id
	Host     string // the host's id
	Step     dropcap.Step
	Original recreate.Original
	Recipe   *recreate.Recipe
	Gate     Gate
	Carry    bool    // the container's own layer is carried along; StrategyRecreate
	Source   *Source // of StrategySource
	// Others are the further containers that are changed in the same step.
	Others []dropcap.ChangedContainer
	// Members are re-created in the same step, since they live in the container's namespaces: in
	// the order in which they are started.
	Members []Job
	InPlace *InPlace
}

// Outcome is the result of a job.
type Outcome struct {
	Step   dropcap.Step
	Change dropcap.Change // without an id if nothing was begun
	Err    error          // nil if it was applied
}

// Progress is an effect that begins (Took is 0), or has ended.
type Progress struct {
	Container string // its name
	Effect    dropcap.Effect
	Took      time.Duration
	Ended     bool
	Err       error
}

// Runner does changes in a world.
type Runner struct {
	Executor Executor
	Journal  Journal
	Watcher  Watcher           // nil: nothing is watched
	Tell     func(Progress)    // nil: nobody is told
	Log      func(line string) // decisions, for people; nil: nobody is told
	// Boot identifies this boot of the host; empty if unknown.
	Boot string
	// Read reads a file of this host that a change in place is about.
	Read func(path string) ([]byte, error)

	// Strangers are the names of containers that use what a change has made, and are not part of
	// it; nil: nobody is asked.
	Strangers func(context.Context, dropcap.Change) ([]string, error)

	Usual time.Duration // how long a request to the engine may take; 30 s if zero
	// how long an engine that does not answer is waited for before a person is needed; 2 min if
	// zero
	Patience time.Duration
	Poll     time.Duration // between looks; 200 ms if zero
	Now      func() time.Time
	NewID    func() string // 12 hexadecimal digits; random if nil
	Sleep    func(context.Context, time.Duration)
}

// strategy is one way to apply a new declaration, and to revert it. The state of the change is its
// progress.
type strategy interface {
	// effects lists what will be done, for a dry run; what is made has an id that says so.
	effects(c *change) []dropcap.Effect
	// prepare does all that stops nothing. It writes the notes note-begin (first of all) and, if
	// there is something to remember, note-created.
	prepare(ctx context.Context, c *change) error
	// swap puts the new one in the place of the old one. After it c.After runs, if the old one ran,
	// and c.DowntimeMS is set.
	swap(ctx context.Context, c *change) error
	// stands tells after a crash whether the new one is in its place and runs if it should, so that
	// only the gate is missing.
	stands(ctx context.Context, c *change) (bool, error)
	// back restores the old one from any state of the change. It decides by what it observes, never
	// by what it has done, so that it may be called again after any crash, including its own. Its
	// error says what a person has to do.
	back(ctx context.Context, c *change) error
	// rest sees to it that a retained old one is at rest when the change is over.
	rest(ctx context.Context, c *change) error
	// mayBack returns what prevents a backout, before it begins.
	mayBack(ctx context.Context, c *change) error
}

// nothingRetained is shared by strategies that retain no container and can always be reverted.
type nothingRetained struct{}

func (nothingRetained) rest(context.Context, *change) error    { return nil }
func (nothingRetained) mayBack(context.Context, *change) error { return nil }

func (r *Runner) strategy(s dropcap.Strategy) (strategy, error) {
	switch s {
	case dropcap.StrategyRecreate:
		return recreating{r}, nil
	case dropcap.StrategyInPlace:
		return newInPlace(r), nil
	case dropcap.StrategySource:
		return newSource(r), nil
	}
	return nil, dropcap.Errorf(dropcap.CodeError, "do by hand what the plan says",
		"cannot apply the strategy %q", s)
}
