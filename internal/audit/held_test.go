package audit

import (
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/policy"
)

// holding returns a container other sets than its declaration grants; its one process has them.
func holding(c dropcap.Container, change func(*dropcap.Kernel)) dropcap.Container {
	none := func() *caps.Set { return new(caps.Set) }
	k := dropcap.Kernel{Visible: true, Bounding: none(), Permitted: none(), Effective: none(),
		Inheritable: none(), Ambient: none()}
	change(&k)
	held := *k.Holds()
	k.Held = &held
	k.Processes = []dropcap.Process{{
		PIDs: []int{10}, Comm: "app", Origin: dropcap.OriginInit, Bounding: k.Bounding.Mask(),
		Permitted: k.Permitted.Mask(),
		Effective: k.Effective.Mask(), Inheritable: k.Inheritable.Mask(), Ambient: k.Ambient.Mask(),
	}}
	c.Kernel = k
	return c
}

func nothing(*dropcap.Kernel) {}

// The bounding set is one of five: what any of them has can be used or got back.
func TestEachSetIsHeld(t *testing.T) {
	admin := caps.Of(caps.NetAdmin, caps.SysAdmin)
	for name, change := range map[string]func(*dropcap.Kernel){
		"bounding":    func(k *dropcap.Kernel) { *k.Bounding = admin },
		"permitted":   func(k *dropcap.Kernel) { *k.Permitted = admin },
		"effective":   func(k *dropcap.Kernel) { *k.Effective = admin },
		"inheritable": func(k *dropcap.Kernel) { *k.Inheritable = admin },
		"ambient":     func(k *dropcap.Kernel) { *k.Ambient = admin },
	} {
		t.Run(name, func(t *testing.T) {
			added := dropcap.Declared{Add: []string{"SYS_ADMIN", "NET_ADMIN"},
				Drop: []string{"ALL"}}
			if j := judgeOne(t, holding(container("a", added), change),
				dropcap.Policy{}); told(j) != "added:NET_ADMIN,SYS_ADMIN" ||
				strings.Contains(j.Findings[0].Because, "gave") {
				t.Errorf("declared: %s [%s] %+v", j.Verdict, told(j), j.Findings)
			}
			j := judgeOne(t, holding(container("d", dropcap.Declared{Drop: []string{"ALL"}}),
				change), dropcap.Policy{})
			if told(j) != "drift:NET_ADMIN,SYS_ADMIN" || !strings.Contains(j.Findings[0].Because,
				"process 10 (app) holds NET_ADMIN,SYS_ADMIN") {
				t.Errorf("not declared: %s [%s] %+v", j.Verdict, told(j), j.Findings)
			}
			older := holding(container("o", dropcap.Declared{Drop: []string{"ALL"}}), change)
			older.Kernel.Held = nil // a snapshot from before the field
			if j := judgeOne(t, older, dropcap.Policy{}); told(j) != "drift:NET_ADMIN,SYS_ADMIN" {
				t.Errorf("of an older snapshot: %s [%s]", j.Verdict, told(j))
			}
		})
	}
}

// What the processes gave up and the declaration grants is got back; the sentence says which part
// that is.
func TestWhatWasGivenUpIsJudgedLikeWhatIsHeld(t *testing.T) {
	const back = "but a restart, an exec or a health check gets"
	admins := dropcap.Declared{Add: []string{"NET_ADMIN", "SYS_ADMIN"}, Drop: []string{"ALL"}}
	for _, x := range []struct {
		name    string
		d       dropcap.Declared
		change  func(*dropcap.Kernel)
		level   dropcap.Level
		want    string
		because string
	}{
		{"a default", dropcap.Declared{}, nothing, dropcap.LevelCIS, "net-raw:NET_RAW",
			"NET_RAW is granted by default and not dropped: its processes gave it up, " + back +
				" it back, and nothing says that it needs to forge packets"},
		{"all that is added", admins, nothing, dropcap.LevelCIS, "added:NET_ADMIN,SYS_ADMIN",
			"; its processes gave them up, " + back + " them back"},
		{"a part", admins, func(k *dropcap.Kernel) {
			*k.Permitted = caps.Of(caps.NetAdmin)
		}, dropcap.LevelCIS, "added:NET_ADMIN,SYS_ADMIN",
			"; its processes gave SYS_ADMIN up, " + back + " it back"},
		{"at level least", dropcap.Declared{Add: []string{"CHOWN", "KILL"}, Drop: []string{"ALL"}},
			nothing, dropcap.LevelLeast, "unneeded:CHOWN,KILL",
			"; its processes gave them up, " + back + " them back"},
		{"nothing that the level forbids", dropcap.Declared{Drop: []string{"NET_RAW"}}, nothing,
			dropcap.LevelCIS, "", ""},
		{"of a privileged one", dropcap.Declared{Privileged: true}, func(k *dropcap.Kernel) {
			*k.Bounding = caps.UpTo(caps.Last).Minus(caps.Of(caps.SysBoot))
		},
			dropcap.LevelCIS, "privileged", "; its processes gave SYS_BOOT up, " + back +
				" it back"},
		{"and something else held", dropcap.Declared{}, func(k *dropcap.Kernel) {
			*k.Ambient = caps.Of(caps.BPF)
		}, dropcap.LevelCIS,
			"net-raw:NET_RAW drift:BPF",
			"process 10 (app) holds BPF, which the container's configuration does not grant"},
	} {
		t.Run(x.name, func(t *testing.T) {
			j := judgeOne(t, holding(container("a", x.d), x.change), dropcap.Policy{Level: x.level})
			if told(j) != x.want || (j.Verdict == dropcap.Pass) != (x.want == "") {
				t.Fatalf("%s [%s], want [%s]", j.Verdict, told(j), x.want)
			}
			var all string
			for _, f := range j.Findings {
				all += f.Because + "\n"
			}
			if !strings.Contains(all, x.because) {
				t.Errorf("because %q, want %q", all, x.because)
			}
		})
	}
}

// Whether something is held or was given up must make a known finding no new one, and a waiver
// covers either.
func TestWaiversAndBaselinesKnowWhatWasGivenUp(t *testing.T) {
	d := dropcap.Declared{Add: []string{"NET_ADMIN", "SYS_ADMIN"}, Drop: []string{"ALL"}}
	whole, part := container("a", d), holding(container("a", d), func(k *dropcap.Kernel) {
		*k.Effective = caps.Of(caps.NetAdmin)
	})
	for _, x := range [][2]dropcap.Container{{whole, part}, {part, whole}} {
		known := policy.Known(Judge(dropcap.Snapshot{Host: host(), Containers: x[:1]},
			Options{Now: now}))
		a := Judge(dropcap.Snapshot{Host: host(), Containers: x[1:]},
			Options{Now: now, Known: known})
		if a.Status() != dropcap.ExitOK {
			t.Errorf("a known finding is new: %s", told(a.Containers[0]))
		}
	}
	w := dropcap.Waiver{Caps: caps.Of(caps.SysAdmin), Owner: "ops", Reason: "r",
		Expires: now.Add(time.Hour)}
	j := judgeOne(t, part, dropcap.Policy{Waivers: []dropcap.Waiver{w}})
	if told(j) != "added:SYS_ADMIN(waived) added:NET_ADMIN" {
		t.Fatalf("got [%s]", told(j))
	}
	if !strings.Contains(j.Findings[0].Because, "gave it up") ||
		strings.Contains(j.Findings[1].Because, "gave") {
		t.Errorf("because %q and %q", j.Findings[0].Because, j.Findings[1].Because)
	}
}

// Where nobody knows what the configuration grants, what is held is judged, and that there is no
// more is not said.
func TestUnpredictedIsNoPass(t *testing.T) {
	unpredicted := func(d dropcap.Declared) dropcap.Container {
		c := container("a", d)
		c.Predicted, c.WhyNot = nil, "Podman's own API is not allowed"
		return c
	}
	j := judgeOne(t, unpredicted(dropcap.Declared{Drop: []string{"ALL"}}), dropcap.Policy{})
	if j.Verdict != dropcap.Unknown || told(j) != "unseen" ||
		!strings.HasSuffix(j.Findings[0].Because, "is not known: Podman's own API is not allowed") {
		t.Errorf("of one that holds nothing: %s [%s] %+v", j.Verdict, told(j), j.Findings)
	}
	if j := judgeOne(t, unpredicted(dropcap.Declared{}),
		dropcap.Policy{}); j.Verdict != dropcap.Fail || told(j) != "net-raw:NET_RAW unseen" {
		t.Errorf("of one that holds the defaults: %s [%s]", j.Verdict, told(j))
	}
}

// What is held in a user namespace within the container's own is neither drift nor hidden.
func TestNestedUserNamespacesAreNoDrift(t *testing.T) {
	c := container("a", dropcap.Declared{Drop: []string{"ALL"}})
	all := caps.UpTo(caps.Last)
	c.Kernel.Nested = &all
	c.Kernel.Processes = append(c.Kernel.Processes, dropcap.Process{
		PIDs: []int{11}, Comm: "bwrap", Origin: dropcap.OriginChild, Bounding: all.Mask(),
		Effective: all.Mask(), UserNS: dropcap.UserNSNested,
	})
	if j := judgeOne(t, c, dropcap.Policy{}); j.Verdict != dropcap.Pass || j.Kernel.Nested == nil {
		t.Errorf("%s [%s]", j.Verdict, told(j))
	}
	outside := caps.Of(caps.SysAdmin)
	c.Kernel.Held = &outside
	c.Kernel.Processes = append(c.Kernel.Processes, dropcap.Process{
		PIDs: []int{12}, Comm: "left", Origin: dropcap.OriginChild, Permitted: outside.Mask(),
		UserNS: dropcap.UserNSOther,
	})
	if j := judgeOne(t, c, dropcap.Policy{}); told(j) != "drift:SYS_ADMIN" ||
		!strings.Contains(j.Findings[0].Because, "process 12 (left)") {
		t.Errorf("%s [%s] %+v", j.Verdict, told(j), j.Findings)
	}
}

func TestExplainTellsWhatWasGivenUp(t *testing.T) {
	c := holding(container("a", dropcap.Declared{}), func(k *dropcap.Kernel) {
		*k.Effective = caps.Of(caps.Kill)
	})
	a := Judge(dropcap.Snapshot{Host: host(), Containers: []dropcap.Container{c}},
		Options{Now: now})
	x := Explain(a.Containers[0], a, Options{})
	if len(x.Holds) != 1 || x.Holds[0].Cap != caps.Kill || !x.Holds[0].Effective {
		t.Errorf("holds %+v", x.Holds)
	}
	if len(x.GaveUp) != caps.DockerDefaults.Len()-1 ||
		x.GaveUp[0].Because != "a default that is not dropped" {
		t.Errorf("gave up %+v", x.GaveUp)
	}
}
