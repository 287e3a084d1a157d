package evidence

import (
	"encoding/json"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

// What only the program can decide is kept, and marked. One certain need removes the mark.
func TestWhatATrialMayTellIsKeptAndMarked(t *testing.T) {
	check := func(c caps.Cap, syscall string, uid uint32, frames ...string) dropcap.KernelCheck {
		return dropcap.KernelCheck{
			Cap: c, Granted: true, OwnCred: true, Syscall: syscall, Frames: frames, UID: uid,
			Origin: dropcap.OriginInit, Count: 1,
			Exe: dropcap.Executable{Path: "/bin/x", From: dropcap.FromImage},
		}
	}
	kill := check(caps.Kill, "kill", 0, "kill_ok_by_cred", "check_kill_permission")
	capset := check(caps.Setpcap, "capset", 0, "cap_capset")
	capset.Arg, capset.Asked = dropcap.ArgInheritWithin, caps.Of(caps.NetAdmin)
	record := func(uid uint32) dropcap.KernelCheck {
		return check(caps.AuditWrite, "sendto", uid, "audit_receive_msg", "audit_receive")
	}
	for _, c := range []struct {
		name     string
		checks   []dropcap.KernelCheck
		required caps.Set
		try      caps.Set
	}{
		{"a signal", []dropcap.KernelCheck{kill}, caps.Of(caps.Kill), caps.Of(caps.Kill)},
		{"a login program's record", []dropcap.KernelCheck{record(0)}, caps.Of(caps.AuditWrite), 0},
		{"a record for another user", []dropcap.KernelCheck{record(1000)}, caps.Of(caps.AuditWrite),
			caps.Of(caps.AuditWrite)},
		{"both", []dropcap.KernelCheck{record(1000), record(0)}, caps.Of(caps.AuditWrite), 0},
		{"named only", []dropcap.KernelCheck{capset}, caps.Of(caps.NetAdmin),
			caps.Of(caps.NetAdmin)},
		{"named, and used", []dropcap.KernelCheck{capset, check(caps.NetAdmin, "ioctl", 0,
			"devinet_ioctl")}, caps.Of(caps.NetAdmin), 0},
		{"at a place that no rule knows",
			[]dropcap.KernelCheck{check(caps.NetRaw, "ioctl", 0, "nobody_knows")},
			caps.Of(caps.NetRaw), caps.Of(caps.NetRaw)},
	} {
		w := Build(c.checks, nil, caps.DockerDefaults|caps.Of(caps.NetAdmin),
			dropcap.Source{Container: "c"}, Identity{Workload: "docker:web"})
		if w.Required != c.required || w.TryWithout != c.try {
			t.Errorf("%s: required %s, to be tried without %s", c.name, w.Required.Short(),
				w.TryWithout.Short())
		}
		text, err := json.Marshal(w)
		if err != nil || strings.Contains(string(text), `"try_without":[`) == c.try.Empty() {
			t.Errorf("%s: %s, %v", c.name, text, err)
		}
		for _, n := range w.Needs {
			if n.TryWithout != (n.TryBecause != "") {
				t.Errorf("%s: %+v", c.name, n)
			}
		}
	}
}
