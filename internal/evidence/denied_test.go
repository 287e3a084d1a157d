package evidence

import (
	"testing"

	"dropcap"
	"dropcap/caps"
)

func TestWhatWasDeniedBeforeIsKnown(t *testing.T) {
	need := func(c caps.Cap, outcome, exe, site string) dropcap.Need {
		return dropcap.Need{Cap: c, Outcome: outcome, Class: dropcap.Decisive,
			By: []dropcap.By{{Exe: exe, Site: site}}}
	}
	byExec := need(caps.Chown, dropcap.Denied, "/app", "chown_ok")
	byExec.Exec = true
	w := dropcap.WorkloadEvidence{Workload: "docker:web", Held: caps.DockerDefaults,
		Needs: []dropcap.Need{
			need(caps.DacOverride, dropcap.Denied, "/app", "generic_permission"),
			need(caps.Kill, dropcap.Denied, "/app", "kill_ok_by_cred"),
			need(caps.Kill, dropcap.Granted, "/app", "other"),
			need(caps.SysAdmin, dropcap.Denied, "/app", "may_mount"),
			need(caps.Setuid, dropcap.Denied, "", "sys_setuid"),
			byExec,
		}}
	d := DenialsOf([]dropcap.WorkloadEvidence{w}, "docker:web")
	for _, x := range []struct {
		cap       caps.Cap
		exe, site string
		want      bool
	}{
		{caps.DacOverride, "/app", "generic_permission", true},
		{caps.DacOverride, "/app", "elsewhere", false},
		{caps.DacOverride, "/other", "generic_permission", false},
		{caps.Kill, "/app", "kill_ok_by_cred", false}, // it was also granted
		{caps.SysAdmin, "/app", "may_mount", false},   // it was not held
		{caps.Setuid, "", "sys_setuid", false},        // its program is unknown
		{caps.Chown, "/app", "chown_ok", false},       // an administrator's
	} {
		c := dropcap.KernelCheck{Cap: x.cap, Exe: dropcap.Executable{Path: x.exe}}
		if got := d.Knows(c, x.site); got != x.want {
			t.Errorf("%s by %q at %s: %v", x.cap, x.exe, x.site, got)
		}
	}
	if len(DenialsOf([]dropcap.WorkloadEvidence{w}, "docker:db")) > 0 {
		t.Error("another workload's count")
	}
}
