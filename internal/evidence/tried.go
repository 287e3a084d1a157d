package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/verdict"
)

// The thresholds of a trial, of running under it.
const (
	TriedSeconds = 24 * 3600
	TriedStarts  = 1
)

// MostTried is how many trials the evidence of a workload keeps, the latest.
const MostTried = 64

// trying sums up the trials in which all that is not required was denied at the same time.
type trying struct {
	any      bool // there is such a trial
	seconds  int64
	starts   int
	denied   uint64
	lost     uint64
	complete bool
	// exercised are the capabilities of which a check was denied in one of them.
	exercised caps.Set
	trials    map[string]bool // the ids of those that count
}

// counts sums up the trials that denied at least a set. What was denied in one trial and served by
// another capability, which was denied only in another trial, shows nothing: so each trial has to
// have denied all of it.
func counts(list []dropcap.Tried, set caps.Set) trying {
	t := trying{trials: map[string]bool{}}
	for _, x := range list {
		if set.Empty() || !set.Minus(x.Caps).Empty() {
			continue
		}
		if x.Lost > 0 { // nobody knows what was lost
			t.lost = sum(t.lost, x.Lost)
			continue
		}
		t.any, t.trials[x.Trial] = true, true
		t.seconds, t.starts = t.seconds+max(x.Seconds, 0), t.starts+max(x.Starts, 0)
		t.denied, t.exercised = sum(t.denied, x.Denied), t.exercised|x.Exercised
		t.complete = t.complete || x.Complete
	}
	return t
}

func triedOf(w dropcap.WorkloadEvidence) trying { return counts(w.Tried, w.Unused) }

// enough reports whether the trials were long enough to rely on.
func (t trying) enough() bool {
	return t.any && (t.seconds >= TriedSeconds || t.complete) && t.starts >= TriedStarts
}

// String is "tried 24 h, 3 starts, 0 denied".
func (t trying) String() string {
	time := span(t.seconds)
	if h := t.seconds / 3600; h > 0 && t.seconds%3600 < 60 {
		time = fmt.Sprintf("%d h", h)
	}
	return fmt.Sprintf("tried %s, %s, %d denied", time, count(t.starts, "start"), t.denied)
}

// missingForTried lists what the highest confidence lacks. All that is not required has to have
// been denied at the same time for 24 hours of running, or until the operator said that everything
// was exercised, with a start. What no trial can show has to be known otherwise: what files carry,
// and what a seccomp profile lets through.
func (s coverage) missingForTried() []string {
	var l []string
	t := s.tried
	if t.starts < TriedStarts {
		l = append(l, "restart it once under the trial")
	}
	if t.seconds < TriedSeconds && !t.complete {
		l = append(l, "try for 24 h, or say that everything was exercised (--complete)")
	}
	if s.unseen != "" {
		l = append(l, "see its files, which may carry capabilities: "+s.unseen)
	}
	return append(l, s.coupled...)
}

// released returns the required capabilities that a trial has shown to be needless: only programs
// that may not mind asked for them (Need.TryWithout), such checks were denied, and the workload ran
// on. Nothing else is released: not every trial sees every use.
func released(w dropcap.WorkloadEvidence) caps.Set {
	unused, open := w.Held.Minus(w.Required), tolerant(w.Needs)&w.Required
	if open.Empty() {
		return 0
	}
	for _, t := range slices.Backward(ordered(w.Tried)) {
		set := open & t.Caps & t.Exercised
		if c := counts(w.Tried, unused|set); !set.Empty() && c.enough() &&
			set.Minus(c.exercised).Empty() {
			return set
		}
	}
	return 0
}

// tolerant returns the capabilities of which all needs may be tried without, and show in a check.
func tolerant(needs []dropcap.Need) caps.Set {
	var may, not caps.Set
	for _, n := range needs {
		shows := n.Class != dropcap.Inspected && n.Class != dropcap.Static
		switch {
		case !supports(n):
		case n.TryWithout && shows && !n.Trial:
			may |= caps.Of(n.Cap)
		default:
			not |= caps.Of(n.Cap) | n.Or
		}
	}
	return may.Minus(not)
}

// joinTried joins what was tried; of one trial the latest counts.
func joinTried(a, b []dropcap.Tried) []dropcap.Tried {
	if len(b) == 0 {
		return a
	}
	by := map[string]dropcap.Tried{}
	for _, t := range append(slices.Clone(a), b...) {
		key := t.Host.ID + "\x00" + t.Container + "\x00" + t.Trial
		if have, ok := by[key]; !ok || before(have.Until, t.Until) ||
			have.Until == t.Until && t.Caps.Len() < have.Caps.Len() {
			by[key] = t
		}
	}
	list := make([]dropcap.Tried, 0, len(by))
	for _, t := range by {
		list = append(list, t)
	}
	list = ordered(list)
	return list[max(0, len(list)-MostTried):]
}

// ordered sorts by the end, the latest last.
func ordered(list []dropcap.Tried) []dropcap.Tried {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b dropcap.Tried) int {
		return cmp.Or(strings.Compare(normal(a.Until), normal(b.Until)),
			strings.Compare(a.Host.ID, b.Host.ID), strings.Compare(a.Container, b.Container),
			strings.Compare(a.Trial, b.Trial))
	})
	return list
}

func trialID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789abcdef") == ""
}

func validateTried(t dropcap.Tried) error {
	switch {
	case !nameLike(t.Host.ID):
		return fmt.Errorf("host: %q is no name", clip(t.Host.ID))
	case !hexDigits(t.Container) || !trialID(t.Trial):
		return fmt.Errorf("container or trial: %q or %q are no ids", clip(t.Container),
			clip(t.Trial))
	case t.Seconds < 0 || t.Seconds > mostSeconds || t.Starts < 0 || t.Starts > mostStarts:
		return errors.New("seconds or starts: not a sensible number")
	}
	for _, at := range []string{t.Since, t.Until} {
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			return fmt.Errorf("since or until: %q is no time", clip(at))
		}
	}
	return nil
}

// Denial is a check that a trial denied, and whether the trial went on.
type Denial struct {
	Check    dropcap.KernelCheck
	Verdict  verdict.Verdict
	Harmless bool
}

// BuildTrial creates the evidence of one trial, of what it asked for alone: nothing is known of the
// other capabilities.
func BuildTrial(denials []Denial, asked caps.Set, src dropcap.Source, id Identity,
	tried ...dropcap.Tried) dropcap.WorkloadEvidence {
	t := newTally()
	for _, d := range denials {
		t.observe(d.Check, dropcap.Need{
			Cap: d.Check.Cap, Outcome: dropcap.Denied, Class: d.Verdict.Class,
			Because: d.Verdict.Because, Or: d.Verdict.Or, Flagged: suspect(d.Check.Exe),
			Exec: exec(d.Check, src.Execs), Trial: true, Harmless: d.Harmless,
		}, d.Verdict.Site)
	}
	return Conclude(dropcap.WorkloadEvidence{
		Workload: id.Workload, Revision: id.Revision, ImageID: id.ImageID,
		Sources: []dropcap.Source{src}, Held: asked, Needs: t.needs(1), Tried: tried,
	})
}
