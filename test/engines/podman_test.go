package engines_test

import (
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
)

// Podman's defaults are its administrator's choice: what they have beyond Docker's counts as added
// all the same, and what they lack is not held.
func TestPodmansDefaultsAreConfigurable(t *testing.T) {
	defaults := caps.Of(caps.Chown, caps.Kill, caps.NetAdmin, caps.Setuid)
	b := start(t, dockertest.Podman4, dockertest.DefaultCapabilities("CHOWN", "CAP_KILL",
		"NET_ADMIN", "SETUID"))
	for _, x := range []struct {
		declaration
		holds caps.Set
		added caps.Set
	}{
		{declaration{}, defaults, caps.Of(caps.NetAdmin)},
		{declaration{Drop: []string{"NET_ADMIN"}}, defaults.Minus(caps.Of(caps.NetAdmin)), 0},
		{declaration{Drop: []string{"ALL"}}, 0, 0},
		{declaration{Add: []string{"NET_RAW", "SYS_TIME"}}, defaults | caps.Of(caps.NetRaw,
			caps.SysTime), caps.Of(caps.NetAdmin, caps.SysTime)},
		{declaration{Add: []string{"mknod"}, Drop: []string{"all"}}, caps.Of(caps.Mknod),
			caps.Of(caps.Mknod)},
	} {
		t.Run(x.String(), func(t *testing.T) {
			a := b.judge(t, b.RunContainer(t, "", body(x.declaration)))
			if a.Host.Defaults == nil || *a.Host.Defaults != defaults {
				t.Errorf("the defaults are told as %v, want %s", a.Host.Defaults, defaults)
			}
			c := a.Containers[0]
			if granted := bounding(t, c.PID); granted != x.holds || *c.Predicted != granted ||
				*c.Kernel.Bounding != granted {
				t.Errorf("predicted %s, seen %s, the kernel grants %s, want %s", c.Predicted,
					c.Kernel.Bounding, granted, x.holds)
			}
			var added caps.Set
			if f := finding(c, dropcap.RuleAdded); f != nil {
				added = f.Caps
			}
			raw := finding(c, dropcap.RuleNetRaw) != nil
			if added != x.added || raw != x.holds.Has(caps.NetRaw) ||
				finding(c, dropcap.RuleDrift) != nil {
				t.Errorf("added is %s, want %s; findings %+v", added, x.added, c.Findings)
			}
		})
	}
}
