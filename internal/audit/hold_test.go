package audit

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func heldBack(c dropcap.Container, s caps.Set) dropcap.Container {
	c.HeldBack = &dropcap.HeldBack{Hold: "0123456789ab", Caps: s, Since: "2026-06-30T08:00:00Z"}
	return c
}

// A hold never makes a container pass: its own sets are what they are.
func TestWhatAHoldDeniesIsMitigated(t *testing.T) {
	raw := caps.Of(caps.NetRaw)
	admin := dropcap.Declared{Add: []string{"NET_ADMIN"}}
	exec := withExec(container("exec", dropcap.Declared{Drop: []string{"ALL"}}),
		dropcap.OriginExecPrivileged, caps.Of(caps.SysAdmin))
	for _, x := range []struct {
		c       dropcap.Container
		verdict dropcap.Verdict
		want    string
	}{
		{heldBack(container("all", dropcap.Declared{}), raw), dropcap.Mitigated,
			"net-raw:NET_RAW"},
		{heldBack(stopped("stopped", dropcap.Declared{}), raw), dropcap.Mitigated,
			"net-raw:NET_RAW"},
		{heldBack(container("other", dropcap.Declared{}), caps.Of(caps.Chown)), dropcap.Fail,
			"net-raw:NET_RAW"},
		{heldBack(container("part", admin), raw), dropcap.Fail,
			"net-raw:NET_RAW added:NET_ADMIN"},
		{heldBack(container("both", admin), raw|caps.Of(caps.NetAdmin)), dropcap.Mitigated,
			"net-raw:NET_RAW added:NET_ADMIN"},
		{heldBack(exec, caps.Of(caps.SysAdmin)), dropcap.Mitigated, "drift:SYS_ADMIN"},
		{heldBack(container("nothing", dropcap.Declared{Drop: []string{"ALL"}}), raw),
			dropcap.Pass, ""},
		{heldBack(container("privileged", dropcap.Declared{Privileged: true}),
			caps.UpTo(caps.Last)), dropcap.Fail, "privileged"},
	} {
		j := judgeOne(t, x.c, dropcap.Policy{})
		if got := told(j); j.Verdict != x.verdict || got != x.want {
			t.Errorf("%s: %s [%s], want %s [%s]", x.c.Name, j.Verdict, got, x.verdict, x.want)
		}
		for _, f := range j.Findings {
			const says = "held back since 2026-06-30 08:00, by hold 0123456789ab"
			if f.Mitigated() != strings.Contains(f.Because, says) {
				t.Errorf("%s: mitigated %v, but: %s", x.c.Name, f.Mitigated(), f.Because)
			}
		}
		a := dropcap.Audit{Containers: []dropcap.Judged{j}}
		if x.verdict == dropcap.Mitigated && a.Status() != dropcap.ExitFindings {
			t.Errorf("%s: exit status %d, want 3", x.c.Name, a.Status())
		}
	}
}

// At level least a finding is divided: what is denied, and what is not.
func TestAFindingIsDividedByAHold(t *testing.T) {
	c := heldBack(container("web", dropcap.Declared{}), caps.Of(caps.Mknod, caps.NetRaw))
	j := judgeOne(t, c, dropcap.Policy{Level: dropcap.LevelLeast})
	var open, denied caps.Set
	for _, f := range j.Findings {
		if f.Mitigated() {
			denied |= f.Caps
		} else {
			open |= f.Caps
		}
	}
	if denied != caps.Of(caps.Mknod, caps.NetRaw) || open != caps.DockerDefaults.Minus(denied) {
		t.Errorf("denied %s, open %s", denied.Short(), open.Short())
	}
	if j.Verdict != dropcap.Fail {
		t.Errorf("verdict %s, want fail", j.Verdict)
	}
}
