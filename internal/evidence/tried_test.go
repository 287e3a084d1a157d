package evidence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/verdict"
)

const day = TriedSeconds

// tried is a trial of a capability set on the host of the other tests.
func tried(set caps.Set, seconds int64, starts int) dropcap.Tried {
	t := dropcap.Tried{Caps: set, Container: strings.Repeat("1", 64), Trial: "00000000000a",
		Seconds: seconds, Starts: starts, Since: stamp(at), Until: stamp(at.Add(time.Hour))}
	t.Host.ID = "h"
	return t
}

// recorded is evidence of high confidence with one decisive need: CHOWN.
func recorded() dropcap.WorkloadEvidence {
	return Build([]dropcap.KernelCheck{check(caps.Chown, "chown", 1, "chown_ok")}, nil,
		caps.DockerDefaults, source("h", 1, at), identity)
}

func TestWhatWasTriedLongEnoughIsTheHighestConfidence(t *testing.T) {
	unused := caps.DockerDefaults.Minus(caps.Of(caps.Chown))
	edit := func(x dropcap.Tried, f func(*dropcap.Tried)) dropcap.Tried {
		f(&x)
		return x
	}
	other := func(x *dropcap.Tried) { x.Trial, x.Seconds = "00000000000b", day/2 }
	for name, x := range map[string]struct {
		tried []dropcap.Tried
		level string
		says  string
	}{
		"a day and a start": {[]dropcap.Tried{tried(unused, day, 3)}, "tried",
			"tried 24 h, 3 starts, 0 denied"},
		"not tried": {nil, "high", "1 warm start seen"},
		"a second less": {[]dropcap.Tried{tried(unused, day-1, 3)}, "high",
			"for tried: try for 24 h"},
		"no start": {[]dropcap.Tried{tried(unused, day, 0)}, "high",
			"for tried: restart it once"},
		"two halves": {[]dropcap.Tried{edit(tried(unused, day/2, 1), func(*dropcap.Tried) {}),
			edit(tried(unused, day/2, 0), other)}, "tried", "tried 24 h, 1 start"},
		"complete by the operator's word": {[]dropcap.Tried{edit(tried(unused, 60, 1),
			func(x *dropcap.Tried) { x.Complete = true })}, "tried", "tried 1m"},
		"one capability is missing": {[]dropcap.Tried{tried(unused.Minus(caps.Of(caps.Kill)), day,
			3)}, "high", "1 warm start seen"},
		"two trials that make up for each other": {[]dropcap.Tried{
			tried(unused.Minus(caps.Of(caps.Kill)), day, 3),
			edit(tried(caps.Of(caps.Kill), day, 3), other)}, "high", "1 warm start seen"},
		"a loss": {[]dropcap.Tried{edit(tried(unused, day, 3), func(x *dropcap.Tried) {
			x.Lost = 1
		})}, "high", "a trial that lost 1"},
	} {
		w := recorded()
		w.Tried = x.tried
		c := Conclude(w).Confidence
		if text := strings.Join(c.Because, "\n"); c.Level != x.level ||
			!strings.Contains(text, x.says) {
			t.Errorf("%s: %s because %s; want %s, with %q", name, c.Level, text, x.level, x.says)
		}
	}
}

func TestFilesThatWereNotSeenAreNotMadeUpForByATrial(t *testing.T) {
	w := recorded()
	w.Sources[0].FilesUnseen = "it was gone"
	w.Tried = []dropcap.Tried{tried(caps.DockerDefaults.Minus(caps.Of(caps.Chown)), day, 1)}
	c := Conclude(w).Confidence
	if c.Level != dropcap.ConfidenceLow || !strings.Contains(strings.Join(c.Because, "\n"),
		"for tried: see its files") {
		t.Errorf("%+v", c)
	}
}

func TestATrialIsNoRecording(t *testing.T) {
	w := recorded()
	w.Sources[0].CallsUnseen = "prctl cannot be watched"
	src := source("h", 2, at)
	src.Trial, src.CallsUnseen, src.FilesUnseen = "00000000000a", "a trial", FilesLater
	src.StartsCold, src.StartsWarm, src.Stops, src.Seconds = 9, 9, 9, 1<<20
	both := Merge([]dropcap.WorkloadEvidence{w, BuildTrial(nil, caps.Of(caps.Kill), src,
		identity)}, ByHost)[0]
	if both.Recordings() != 1 || both.Confidence.Level != dropcap.ConfidenceMedium ||
		!strings.Contains(strings.Join(both.Confidence.Because, "\n"), "1 cold start seen") {
		t.Errorf("%d recordings, %+v", both.Recordings(), both.Confidence)
	}
}

func TestATrialCountsForItsRevisionOnly(t *testing.T) {
	w := recorded()
	w.Tried = []dropcap.Tried{tried(caps.DockerDefaults.Minus(caps.Of(caps.Chown)), day, 1)}
	w = Conclude(w)
	subject := Subject{Workload: w.Workload, Revision: w.Revision, Host: "h",
		Held: caps.DockerDefaults}
	s, ok := For([]dropcap.WorkloadEvidence{w}, subject)
	if !ok || s.Level != dropcap.ConfidenceTried || !strings.Contains(s.Because, "tried 24 h") {
		t.Errorf("the same revision: %v, %s", s.Level, s.Because)
	}
	subject.Revision = "sha256:" + strings.Repeat("0", 64)
	s, ok = For([]dropcap.WorkloadEvidence{w}, subject)
	if !ok || s.Level != dropcap.ConfidenceMedium || strings.Contains(s.Because, "tried") {
		t.Errorf("another revision: %v, %s", s.Level, s.Because)
	}
}

func TestATrialReleasesOnlyWhatMayBeTriedWithout(t *testing.T) {
	access := check(caps.DacOverride, "access", 1, "generic_permission", "do_faccessat")
	chown := check(caps.Chown, "chown", 1, "chown_ok")
	all := caps.DockerDefaults
	w := Build([]dropcap.KernelCheck{access, chown}, nil, all, source("h", 1, at), identity)
	if !w.TryWithout.Has(caps.DacOverride) || !w.Required.Has(caps.DacOverride) {
		t.Fatalf("try without %s of %s", w.TryWithout, w.Required)
	}
	x := tried(all, day, 1)
	w.Tried = []dropcap.Tried{x}
	if got := Conclude(w).Required; got != w.Required {
		t.Errorf("none of its checks was denied, and %s is required", got)
	}
	w.Tried[0].Exercised = caps.Of(caps.DacOverride, caps.Chown)
	got := Conclude(w)
	if got.Required != caps.Of(caps.Chown) || got.Confidence.Level != dropcap.ConfidenceTried {
		t.Errorf("required %s, %s; a trial releases what may be tried without, and nothing else",
			got.Required, got.Confidence.Level)
	}
}

func TestWhatATrialBrokeIsNeeded(t *testing.T) {
	asked := caps.Of(caps.Chown, caps.NetRaw, caps.DacReadSearch)
	deny := func(c dropcap.KernelCheck) dropcap.KernelCheck {
		c = denied(c)
		c.Trial = true
		return c
	}
	judged := func(c dropcap.KernelCheck, harmless bool) Denial {
		return Denial{Check: c, Verdict: verdict.Of(c), Harmless: harmless}
	}
	src := source("h", 2, at)
	src.Trial = "00000000000a"
	w := BuildTrial([]Denial{
		judged(deny(check(caps.Chown, "chown", 2, "chown_ok")), false),
		judged(deny(check(caps.DacReadSearch, "openat", 5, "generic_permission")), true),
	}, asked, src, identity, tried(caps.Of(caps.NetRaw, caps.DacReadSearch), day, 1))
	if w.Required != caps.Of(caps.Chown) || w.Held != asked {
		t.Errorf("required %s of %s", w.Required, w.Held)
	}
	if w.Confidence.Level != dropcap.ConfidenceTried {
		t.Errorf("of a workload that was only tried: %+v", w.Confidence)
	}
	merged := Merge([]dropcap.WorkloadEvidence{w, recorded(), w}, ByHost)
	if len(merged) != 1 || len(merged[0].Tried) != 1 || merged[0].Required != caps.Of(caps.Chown) {
		t.Fatalf("merged: %+v", merged)
	}
	n := slices.IndexFunc(merged[0].Needs, func(n dropcap.Need) bool {
		return n.Trial && !n.Harmless
	})
	if n < 0 || merged[0].Needs[n].Count != 2 {
		t.Errorf("needs: %+v", merged[0].Needs)
	}
	for d := range DenialsOf(merged, identity.Workload) {
		if d.cap == caps.Chown {
			t.Error("what was missed is called denied as before")
		}
	}
}

func TestTriedIsBoundedAndTheLatestIsKept(t *testing.T) {
	var list []dropcap.Tried
	for i := range MostTried + 9 {
		x := tried(caps.Of(caps.Kill), int64(i), 1)
		x.Trial, x.Until = fmt.Sprintf("%012x", i), stamp(at.Add(time.Duration(i)*time.Minute))
		list = joinTried(list, []dropcap.Tried{x})
	}
	if len(list) != MostTried || list[MostTried-1].Seconds != MostTried+8 {
		t.Errorf("%d are kept, the last %+v", len(list), list[len(list)-1])
	}
	again := list[MostTried-1]
	again.Until, again.Seconds = stamp(at.Add(99*time.Hour)), 1<<20
	if list = joinTried([]dropcap.Tried{again}, list); list[MostTried-1].Seconds != 1<<20 {
		t.Error("an earlier state of a trial replaced a later one")
	}
}
