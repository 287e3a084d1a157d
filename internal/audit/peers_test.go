package audit

import (
	"testing"

	"dropcap"
	"dropcap/caps"
)

// Each of these is a mistake that an existing checker makes about this very rule, and which costs
// its users a wrong verdict.
func TestMistakesOfExistingCheckers(t *testing.T) {
	drop := func(l ...string) dropcap.Declared { return dropcap.Declared{Drop: l} }
	for _, x := range []struct {
		mistake string
		c       dropcap.Container
		want    dropcap.Verdict
	}{
		{"never reads CapDrop", container("a", drop("NET_RAW")), dropcap.Pass},
		{"has NET_RAW on its list of allowed capabilities", container("a", dropcap.Declared{}),
			dropcap.Fail},
		{"passes a privileged container",
			container("a", dropcap.Declared{Privileged: true, Drop: []string{"ALL"}}),
			dropcap.Fail},
		{"sees running containers only", stopped("a", dropcap.Declared{Add: []string{"SYS_ADMIN"}}),
			dropcap.Fail},
		{"skips a container whose name contains nil", container("vanilla", dropcap.Declared{}),
			dropcap.Fail},
		{"is case-sensitive in drops", container("a", drop("net_raw")), dropcap.Pass},
		{"is case-sensitive in adds",
			container("a", dropcap.Declared{Drop: []string{"ALL"}, Add: []string{"sys_admin"}}),
			dropcap.Fail},
		{"passes on any drop at all", container("a", drop("MKNOD")), dropcap.Fail},
		{"fails drop ALL with NET_BIND_SERVICE",
			container("a", dropcap.Declared{Drop: []string{"ALL"},
				Add: []string{"NET_BIND_SERVICE"}}), dropcap.Pass},
		{"passes drop ALL with NET_RAW added",
			container("a", dropcap.Declared{Drop: []string{"ALL"}, Add: []string{"NET_RAW"}}),
			dropcap.Fail},
		{"misses lower-case all", container("a", drop("all")), dropcap.Pass},
		{"takes not added for not present", container("a", drop("SYS_ADMIN")), dropcap.Fail},
		{"does not count drop ALL as dropping NET_RAW", container("a", drop("ALL")), dropcap.Pass},
		{"misses the prefix", container("a", drop("CAP_NET_RAW")), dropcap.Pass},
		{
			"never reads the kernel",
			withExec(container("a", drop("ALL")), dropcap.OriginExecPrivileged,
				caps.Of(caps.SysAdmin)), dropcap.Fail,
		},
	} {
		t.Run(x.mistake, func(t *testing.T) {
			if j := judgeOne(t, x.c, dropcap.Policy{}); j.Verdict != x.want {
				t.Errorf("got %s [%s], want %s", j.Verdict, told(j), x.want)
			}
		})
	}
}

// A checker that never says unknown passes what it cannot see.
func TestUnseenIsNeverAPass(t *testing.T) {
	c := container("a", dropcap.Declared{Drop: []string{"ALL"}})
	c.Kernel = dropcap.Kernel{WhyNot: "the engine runs elsewhere"}
	if j := judgeOne(t, c, dropcap.Policy{}); j.Verdict != dropcap.Unknown {
		t.Errorf("got %s, want unknown", j.Verdict)
	}
}

// An exclusion for one container must not leak to others that are named alike (sub-strings,
// prefixes).
func TestExclusionsDoNotLeak(t *testing.T) {
	p := dropcap.Policy{Waivers: []dropcap.Waiver{{
		Containers: dropcap.Selector{Name: "web"}, Caps: caps.Of(caps.NetRaw), Owner: "o",
		Reason: "r", Expires: now.AddDate(1, 0, 0),
	}}}
	for name, want := range map[string]dropcap.Verdict{"web": dropcap.Waived, "web2": dropcap.Fail,
		"my-web": dropcap.Fail, "Web": dropcap.Fail} {
		if j := judgeOne(t, container(name, dropcap.Declared{}), p); j.Verdict != want {
			t.Errorf("%s: got %s, want %s", name, j.Verdict, want)
		}
	}
}
