package dropcap

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"dropcap/caps"
)

// SchemaHarden is the schema of Hardenings.
const SchemaHarden = "dropcap.harden/v1"

// Hardenings are the workloads of a host that are being hardened.
type Hardenings struct {
	Schema     string      `json:"schema"`
	Hardenings []Hardening `json:"hardenings"` // by workload
}

// Hardening is the way of one workload from what it holds to its least set: learn, trial, apply,
// watch. It is carried on over restarts of everything, and each new revision starts anew from what
// still holds.
type Hardening struct {
	Workload string `json:"workload"`
	Host     string `json:"host"`     // id of the host
	Revision string `json:"revision"` // as in WorkloadEvidence
	// Containers are the names of the workload's containers at the last look.
	Containers []string       `json:"containers"`
	Settings   HardenSettings `json:"settings"`
	State      HardenState    `json:"state"`
	Since      string         `json:"since"`    // of the state; RFC 3339, UTC
	Begun      string         `json:"begun"`    // of the whole
	Waiting    string         `json:"waiting"`  // what it waits for, in one clause
	Next       HardenState    `json:"next"`     // what comes then; empty if nothing does
	NextAt     string         `json:"next_at"`  // the earliest time of that; empty if nobody knows
	Because    string         `json:"because"`  // why it is where it is, in one sentence
	Remedy     string         `json:"remedy"`   // of a refusal: what would mend it
	Holds      caps.Set       `json:"holds"`    // what it holds now
	Required   caps.Set       `json:"required"` // what it was seen to need so far
	Dropped    caps.Set       `json:"dropped"`  // what was dropped
	Learned    int64          `json:"learned_seconds"`
	Tried      int64          `json:"tried_seconds"`
	Trial      string         `json:"trial,omitempty"`  // id of the trial that runs or ran last
	Change     string         `json:"change,omitempty"` // id of the last change
	Attempts   int            `json:"attempts"`         // changes that were rolled or backed out
	Timeline   []Event        `json:"timeline"`         // the last 100

	// Proposed is what would be dropped as far as is known now.
	Proposed caps.Set `json:"proposed"`
	// Watched is how long it has run well since the change, in seconds of observation.
	Watched int64 `json:"watched_seconds"`
	// Missed is what was denied after a change and decided something: it is kept from then on.
	Missed caps.Set `json:"missed"`
	// Approved is what a person has agreed to drop.
	Approved caps.Set `json:"approved"`
	// Backing says why a change is being backed out; empty if none is.
	Backing string `json:"backing,omitempty"`
	// Resume is the state to go on from after a pause or what holds it up.
	Resume   HardenState `json:"resume,omitempty"`
	Restarts int         `json:"restarts"` // that were made so that starts are seen
	// Reverted is how often somebody undid the change by making the container again.
	Reverted int `json:"reverted"`
	// Policy is set if the policy asked for it, and not a person.
	Policy bool `json:"by_policy,omitempty"`
}

// Active reports whether the service still does something about it by itself.
func (h Hardening) Active() bool {
	switch h.State {
	case HardenPaused, HardenStopped, HardenGone:
		return false
	}
	return true
}

// Drops is what was dropped, or would be by now.
func (h Hardening) Drops() caps.Set {
	if !h.Dropped.Empty() {
		return h.Dropped
	}
	return h.Proposed
}

// Listed returns the document with empty lists instead of nil.
func (h Hardenings) Listed() Hardenings {
	h.Hardenings = each(h.Hardenings, Hardening.Listed)
	return h
}

// Listed returns the hardening with empty lists instead of nil.
func (h Hardening) Listed() Hardening {
	h.Containers, h.Timeline = listed(h.Containers), listed(h.Timeline)
	return h
}

// HardenSettings are what an operator asks of a hardening.
type HardenSettings struct {
	Level Level `json:"level"`
	// how long to learn, to try, and to watch after a change, in seconds
	Learn int64 `json:"learn_seconds"`
	Trial int64 `json:"trial_seconds"`
	Watch int64 `json:"watch_seconds"`
	// Window is when it may restart or re-create, "02:00-05:00" in the host's local time; empty:
	// at any time.
	Window  string `json:"window,omitempty"`
	Approve bool   `json:"approve,omitempty"` // wait for a person before the change
	// AddBack: what is backed out since it missed a capability is changed again in the next window,
	// and keeps that one. Otherwise a person decides.
	AddBack bool `json:"add_back,omitempty"`
	// AcceptLow takes what was learned as enough, whatever its confidence.
	AcceptLow bool `json:"accept_low,omitempty"`
}

// UsualHardening is what is meant where nothing else is said: a day to learn, a day to try, a week
// to watch, at any time of the day.
func UsualHardening() HardenSettings {
	return HardenSettings{Level: LevelLeast, Learn: 86400, Trial: 86400, Watch: 7 * 86400}
}

// LongestSpan is the longest time that a span may be.
const LongestSpan = 366 * 24 * time.Hour

var days = regexp.MustCompile(`^([0-9]{1,3})d`)

// ParseSpan reads a duration such as 30m, 24h, 7d, 1d12h or 0, of at most LongestSpan. The error
// has CodeUsage.
func ParseSpan(text string) (time.Duration, error) {
	var span time.Duration
	rest := text
	if m := days.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // three digits
		span, rest = time.Duration(n)*24*time.Hour, text[len(m[0]):]
	}
	if rest != "" || text == "" {
		d, err := time.ParseDuration(rest)
		if err != nil {
			return 0, badSpan(text)
		}
		if span += d; d < 0 {
			return 0, badSpan(text)
		}
	}
	if span > LongestSpan || span < 0 {
		return 0, badSpan(text)
	}
	return span, nil
}

func badSpan(text string) error {
	if len(text) > 20 {
		text = text[:20] + "…"
	}
	return Errorf(CodeUsage, fmt.Sprintf("for example 30m, 24h or 7d, at most %dd",
		LongestSpan/(24*time.Hour)), "cannot read the duration %q", text)
}

// HardenState is where a hardening is.
type HardenState string

// The states, in their order. Held up: it cannot go on before Remedy is done, and looks again by
// itself. Stopped: by a person. Gone: the workload has no container any more.
const (
	HardenLearning HardenState = "learning"
	HardenTrying   HardenState = "trying"
	HardenApproval HardenState = "approval" // waits for a person
	HardenWindow   HardenState = "window"   // waits for the window
	HardenApplying HardenState = "applying"
	HardenWatching HardenState = "watching"
	HardenDone     HardenState = "done"
	HardenHeldUp   HardenState = "held-up"
	HardenPaused   HardenState = "paused"
	HardenStopped  HardenState = "stopped"
	HardenGone     HardenState = "gone"
)
