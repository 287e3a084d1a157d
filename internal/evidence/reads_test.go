package evidence

import (
	"slices"
	"testing"

	"dropcap"
	"dropcap/caps"
)

// look is a read of one capability of the bounding set.
func look(c caps.Cap, count uint64, granted bool) dropcap.KernelCheck {
	k := check(c, "prctl", count)
	k.Frames, k.Arg, k.Granted = nil, dropcap.ArgLook, granted
	return k
}

func TestOnlyAQuestionForOneCapabilityNamesIt(t *testing.T) {
	libcap := func(times uint64, more ...dropcap.KernelCheck) []dropcap.KernelCheck {
		// what its initialisation reads
		list := more
		for _, c := range []caps.Cap{32, 40, 41, 42, 44, 48} {
			list = append(list, look(c, times, c <= caps.Last))
		}
		return list
	}
	all := func(more ...dropcap.KernelCheck) []dropcap.KernelCheck {
		list := more
		for c := range caps.Last + 1 {
			list = append(list, look(c, 3, true))
		}
		return list
	}
	run := look(caps.SysTime, 1, true)
	run.Phase = dropcap.PhaseRun
	for _, c := range []struct {
		name   string
		checks []dropcap.KernelCheck
		want   caps.Set
	}{
		{"one", []dropcap.KernelCheck{look(caps.SysTime, 1, true)}, caps.Of(caps.SysTime)},
		{"two", []dropcap.KernelCheck{look(caps.SysTime, 1, true), look(caps.NetRaw, 1, true)},
			caps.Of(caps.SysTime, caps.NetRaw)},
		{"in vain", []dropcap.KernelCheck{look(caps.SysTime, 1, false)}, 0},
		{"libcap-ng", []dropcap.KernelCheck{look(caps.Chown, 1, true)}, 0},
		{"libcap", libcap(2), 0},
		{"libcap, and one", libcap(2, look(caps.SysTime, 1, true)), caps.Of(caps.SysTime)},
		{"libcap, and one that it asks for as well", libcap(2, look(40, 1, true)), caps.Of(40)},
		{"all", all(), 0},
		{"all, and one", all(run), caps.Of(caps.SysTime)},
	} {
		w := build(caps.UpTo(caps.Last), c.checks...)
		if w.Required != c.want {
			t.Errorf("%s: required %s, want %s", c.name, w.Required, c.want)
		}
		if slices.ContainsFunc(w.Needs, func(n dropcap.Need) bool {
			return n.Class != dropcap.Inspected
		}) {
			t.Errorf("%s: %+v", c.name, w.Needs)
		}
	}
}

func TestWhatIsRaisedToTheAmbientSetIsRequired(t *testing.T) {
	raise := look(caps.NetBindService, 1, true)
	raise.Arg = dropcap.ArgAmbient
	none := look(63, 1, false)
	none.Arg = dropcap.ArgAmbient
	w := build(caps.DockerDefaults, raise, none)
	if w.Required != caps.Of(caps.NetBindService) || len(w.Needs) != 1 ||
		w.Needs[0].Class != dropcap.Decisive {
		t.Errorf("required %s of %+v", w.Required, w.Needs)
	}
}

// What a capset newly adds to the inheritable set is named, even if the other sets that it requests
// are complete.
func TestWhatIsNewlyHandedOnIsNamed(t *testing.T) {
	set := check(caps.Setpcap, "capset", 1, "cap_capset")
	set.Arg, set.Asked, set.Handed = dropcap.ArgInheritWithin, caps.DockerDefaults,
		caps.Of(caps.NetBindService)
	if w := build(caps.DockerDefaults, set); w.Required != caps.Of(caps.NetBindService) {
		t.Errorf("required %s", w.Required)
	}
	set.Handed = caps.DockerDefaults
	if w := build(caps.DockerDefaults, set); w.Required != 0 {
		t.Errorf("required %s of one that hands on all it has", w.Required)
	}
}

// In a user namespace of its own a process has every capability, whatever the container holds.
func TestWhatIsDoneInANamespaceOfItsOwnNeedsNothing(t *testing.T) {
	c := check(caps.NetAdmin, "ioctl", 3, "dev_ioctl")
	c.Reach = dropcap.ReachNested
	if w := build(caps.UpTo(caps.Last), c); w.Required != 0 {
		t.Errorf("required %s", w.Required)
	}
}

// No provenance but the image's keeps anything beyond the defaults, neither by itself nor as a
// substitute.
func TestBoughtEvidenceKeepsNothingBeyondTheDefaults(t *testing.T) {
	for _, from := range []string{dropcap.FromVolume, dropcap.FromWritten, dropcap.FromMemory,
		dropcap.FromUnknown, ""} {
		read := by(from, "/tmp/x", check(caps.DacReadSearch, "open", 1, "generic_permission"))
		read.Granted = true
		w := build(caps.UpTo(caps.Last),
			by(from, "/tmp/x", check(caps.SysAdmin, "mount", 5, "path_mount")),
			by(from, "/tmp/x", check(caps.Chown, "chown", 1, chownPath...)), read)
		if !w.Required.Minus(caps.DockerDefaults).Empty() || !w.Required.Has(caps.Chown) {
			t.Errorf("from %q: required %s", from, w.Required)
		}
		for _, n := range w.Needs {
			if !n.Flagged {
				t.Errorf("from %q: %s is not flagged", from, n.Cap)
			}
		}
	}
}

func TestACallThatWasNotSeenIsSaid(t *testing.T) {
	src := source("h", 1, at)
	src.CallsUnseen = "the kernel offers no tracepoint"
	w := Build(nil, nil, caps.DockerDefaults, src, identity)
	src.StartsCold, src.StartsWarm, src.Stops, src.Complete = 1, 1, 1, true
	w = Build(nil, nil, caps.DockerDefaults, src, identity)
	if w.Confidence.Level == dropcap.ConfidenceHigh || !slices.ContainsFunc(w.Confidence.Because,
		func(s string) bool {
			return s == "for high: see programs look at their own sets, and raise what they hand "+
				"on "+
				"(prctl): the kernel offers no tracepoint"
		}) {
		t.Errorf("%+v", w.Confidence)
	}
}
