package evidence

import (
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

func byExec(k dropcap.KernelCheck) dropcap.KernelCheck {
	k.Origin, k.Phase = dropcap.OriginExec, dropcap.PhaseExec
	return k
}

// An administrator's docker exec is not the workload: it keeps nothing, but it is listed, and can
// be approved.
func TestExecsKeepNothingUnlessApproved(t *testing.T) {
	w := build(caps.DockerDefaults, byExec(check(caps.Chown, "chown", 3, chownPath...)))
	if w.Required != 0 || len(w.Needs) != 1 || !w.Needs[0].Exec {
		t.Fatalf("required %s, needs %+v", w.Required, w.Needs)
	}
	if all := strings.Join(w.Confidence.Because, "; "); !strings.Contains(all,
		"CHOWN used by docker exec only") {
		t.Errorf("confidence says %q", all)
	}
	yes, n := Approve(w, caps.Chown, true)
	if n != 1 || yes.Required != caps.Of(caps.Chown) || !w.Required.Empty() {
		t.Errorf("approved %d: required %s", n, yes.Required)
	}
	if no, n := Approve(yes, caps.Chown, false); n != 1 || no.Required != 0 {
		t.Errorf("approval taken back from %d: required %s", n, no.Required)
	}
	if _, n := Approve(w, caps.Kill, true); n != 0 {
		t.Errorf("approved %d needs of a capability without any", n)
	}
}

func TestExecsAreTheWorkloadsOwnWhereTheOperatorSaysSo(t *testing.T) {
	s := source("h1", 1, at)
	s.Execs = true
	w := Build([]dropcap.KernelCheck{byExec(check(caps.Chown, "chown", 3, chownPath...))}, nil,
		caps.DockerDefaults, s, identity)
	if w.Required != caps.Of(caps.Chown) || w.Needs[0].Exec {
		t.Errorf("required %s, needs %+v", w.Required, w.Needs)
	}
}

// A planted program that runs by itself and an image's program that runs by exec must not supply
// what the other lacks.
func TestTwoDoubtsMakeNoCertainty(t *testing.T) {
	planted := by(dropcap.FromWritten, "/tmp/x", check(caps.SysTime, "chown", 3, "some_driver"))
	admin := byExec(check(caps.SysTime, "chown", 3, "some_driver"))
	w := build(caps.DockerDefaults|caps.Of(caps.SysTime), planted, admin)
	if w.Required.Has(caps.SysTime) || len(w.Needs) != 2 {
		t.Errorf("required %s, needs %+v", w.Required, w.Needs)
	}
}

func TestAnApprovalOutlivesLaterRecords(t *testing.T) {
	w := build(caps.DockerDefaults, byExec(check(caps.Chown, "chown", 3, chownPath...)))
	yes, _ := Approve(w, caps.Chown, true)
	next := Build([]dropcap.KernelCheck{byExec(check(caps.Chown, "chown", 1, chownPath...))}, nil,
		caps.DockerDefaults, source("h1", 2, at), identity)
	if m := Merge([]dropcap.WorkloadEvidence{next, yes}, ByHost)[0]; m.Required != caps.Of(
		caps.Chown) {
		t.Errorf("required %s", m.Required)
	}
	// Of the same recording the latest counts, and it contains no approvals.
	late := w
	late.Sources = []dropcap.Source{w.Sources[0]}
	late.Sources[0].Until = at.Add(5 * time.Hour).Format(time.RFC3339)
	if m := Merge([]dropcap.WorkloadEvidence{late, yes}, ByHost)[0]; m.Required != caps.Of(
		caps.Chown) {
		t.Errorf("required %s after a later record of the same source", m.Required)
	}
}

func TestWhatSeccompHidesIsSaid(t *testing.T) {
	s := source("h1", 1, at)
	held := caps.DockerDefaults | caps.Of(caps.SysPtrace, caps.SysNice)
	w := Build(nil, Seccomp(held), held, s, identity)
	if w.Required != caps.Of(caps.SysNice) {
		t.Errorf("required %s, want SYS_NICE, which mbind needs without a check", w.Required)
	}
	if all := strings.Join(w.Confidence.Because,
		"; "); w.Confidence.Level != dropcap.ConfidenceMedium ||
		!strings.Contains(all, "SYS_PTRACE: the seccomp profile") {
		t.Errorf("confidence %+v", w.Confidence)
	}
	if list := Seccomp(caps.DockerDefaults); len(list) != 0 {
		t.Errorf("the defaults are coupled to %+v", list)
	}
}

func TestUnseenFilesLowerTheConfidence(t *testing.T) {
	s := source("h1", 1, at)
	s.FilesUnseen = "it was removed before they were scanned"
	w := Build(nil, nil, caps.DockerDefaults, s, identity)
	if all := strings.Join(w.Confidence.Because,
		"; "); w.Confidence.Level != dropcap.ConfidenceLow ||
		!strings.Contains(all, s.FilesUnseen) {
		t.Errorf("confidence %+v", w.Confidence)
	}
	other := Build(nil, nil, caps.DockerDefaults, source("h1", 2, at), identity)
	if m := Merge([]dropcap.WorkloadEvidence{w, other},
		ByHost)[0]; m.Confidence.Level != dropcap.ConfidenceHigh {
		t.Errorf("confidence %+v, although one container's files were scanned", m.Confidence)
	}
}
