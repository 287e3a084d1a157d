package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/verdict"
)

// Build creates the evidence of one recorded container. Static needs are taken over with class and
// sentence; held is the container's bounding set. Times are printed in RFC 3339, UTC; a zero time
// stays empty.
func Build(checks []dropcap.KernelCheck, static []dropcap.Need, held caps.Set, src dropcap.Source,
	id Identity) dropcap.WorkloadEvidence {
	t := newTally()
	checks = naming(checks)
	for i, v := range verdict.All(checks) {
		t.check(checks[i], v, src.Execs)
		t.named(checks[i], held, src.Execs)
	}
	for _, n := range static {
		t.add(n)
	}
	w := dropcap.WorkloadEvidence{
		Workload: id.Workload, Revision: id.Revision, ImageID: id.ImageID,
		Sources: []dropcap.Source{src}, Held: held, Needs: t.needs(1),
	}
	return Conclude(w)
}

// Extend adds later evidence of the same source: counts are summed, and all that describes the
// source comes from later.
func Extend(earlier, later dropcap.WorkloadEvidence) dropcap.WorkloadEvidence {
	t := newTally()
	for _, n := range append(slices.Clone(earlier.Needs), later.Needs...) {
		t.add(n)
	}
	later.Held |= earlier.Held
	later.Tried = joinTried(earlier.Tried, later.Tried)
	later.Needs = t.needs(1)
	return Conclude(later)
}

// check adds one judged check. What docker exec runs is not the workload's own, unless the operator
// says so.
func (t *tally) check(c dropcap.KernelCheck, v verdict.Verdict, execs bool) {
	n := dropcap.Need{Cap: c.Cap, Outcome: dropcap.Denied, Class: v.Class, Because: v.Because,
		Or: v.Or, Flagged: suspect(c.Exe), Exec: exec(c, execs)}
	if c.Granted {
		n.Outcome = dropcap.Granted
		n.TryWithout, n.TryBecause = v.Try != "" && v.Class.Keeps(), v.Try
	}
	t.observe(c, n, v.Site)
}

// named adds the capabilities that a program requests in its own sets, or newly makes inheritable.
// A program that requests everything that the container holds, or more, has read its sets before
// and names nothing: its request means nothing.
func (t *tally) named(c dropcap.KernelCheck, held caps.Set, execs bool) {
	for _, set := range []caps.Set{c.Asked & held, c.Handed & held} {
		if set == held && held.Len() > 1 {
			continue
		}
		for _, a := range set.List() {
			t.observe(c, dropcap.Need{
				Cap: a, Outcome: dropcap.Granted, Class: dropcap.Inspected, Flagged: suspect(c.Exe),
				Exec: exec(c, execs),
				Because: "the program asks for it in its own sets (capset), and fails or goes " +
					"another way without it",
				TryWithout: true,
				TryBecause: "it is only named in the program's own sets, and no check of it was " +
					"seen there",
			}, "capset")
		}
	}
}

// observe adds a check to its need. If a count covers all paths under a key of the kernel's, each
// need counts that key once.
func (t *tally) observe(c dropcap.KernelCheck, n dropcap.Need, site string) {
	by := dropcap.By{Exe: c.Exe.Path, ExeFrom: from(c.Exe), Syscall: c.Syscall, Site: site,
		Phase: c.Phase, Count: c.Count}
	n.Count, n.First, n.Last, n.By = c.Count, stamp(c.First), stamp(c.Last), []dropcap.By{by}
	if c.CountShared {
		key := sharedKey{need: keyOf(n), check: fmt.Sprint(c.Cgroup, c.Spent, c.OwnCred, c.Reach,
			c.Arg, c.Syscall, c.Exe, c.Origin, c.Phase)}
		if t.shared[key] {
			n.Count = 0
		}
		t.shared[key] = true
	}
	t.add(n)
}

func exec(c dropcap.KernelCheck, own bool) bool { return c.Phase == dropcap.PhaseExec && !own }

// suspect reports whether a program is not the image's: it may have been written to exercise
// capabilities.
func suspect(e dropcap.Executable) bool { return dropcap.Suspect(from(e)) }

// from returns where an executable comes from; unknown unless proven.
func from(e dropcap.Executable) string { return cmp.Or(e.From, dropcap.FromUnknown) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
