package policy_test

import (
	"reflect"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/policy"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// accept returns a waiver that is known by its reason and expires in so many days.
func accept(reason, name string, days int, members ...caps.Cap) dropcap.Waiver {
	return dropcap.Waiver{Containers: dropcap.Selector{Name: name}, Caps: caps.Of(members...),
		Reason: reason, Expires: now.AddDate(0, 0, days)}
}

func found(rule dropcap.Rule, members ...caps.Cap) dropcap.Finding {
	return dropcap.Finding{Rule: rule, Caps: caps.Of(members...)}
}

func TestWaiversCoverOnlyWhatTheyName(t *testing.T) {
	all := dropcap.Waiver{Containers: dropcap.Selector{Name: "web"}, Caps: policy.Everything,
		Reason: "all", Expires: now.AddDate(0, 0, 1)}
	raw := found(dropcap.RuleNetRaw, caps.NetRaw)
	two := found(dropcap.RuleAdded, caps.NetAdmin, caps.SysAdmin)
	privileged := dropcap.Finding{Rule: dropcap.RulePrivileged, Caps: caps.UpTo(63)}
	for _, c := range []struct {
		name    string
		waivers []dropcap.Waiver
		f       dropcap.Finding
		want    []string // reasons
	}{
		{"the one", []dropcap.Waiver{accept("a", "web", 1, caps.NetRaw)}, raw, []string{"a"}},
		{"more than asked", []dropcap.Waiver{accept("a", "web", 1, caps.NetRaw, caps.Kill)}, raw,
			[]string{"a"}},
		{"another capability", []dropcap.Waiver{accept("a", "web", 1, caps.Kill)}, raw, nil},
		{"another container", []dropcap.Waiver{accept("a", "web2", 1, caps.NetRaw)}, raw, nil},
		{"a part", []dropcap.Waiver{accept("a", "web", 1, caps.NetAdmin)}, two, nil},
		{"two parts, soonest first", []dropcap.Waiver{accept("a", "web", 9, caps.NetAdmin),
			accept("b", "web", 2, caps.SysAdmin)}, two, []string{"b", "a"}},
		{"one alone before two", []dropcap.Waiver{accept("a", "web", 1, caps.NetAdmin),
			accept("b", "web", 1, caps.SysAdmin),
			accept("c", "w*", 1, caps.NetAdmin, caps.SysAdmin)}, two, []string{"c"}},
		{"second for the same is idle", []dropcap.Waiver{accept("a", "web", 1, caps.NetRaw),
			accept("b", "web", 1, caps.NetRaw)}, raw, []string{"a"}},
		{"expired", []dropcap.Waiver{accept("a", "web", 0, caps.NetRaw)}, raw, nil},
		{"expired half", []dropcap.Waiver{accept("a", "web", 1, caps.NetAdmin),
			accept("b", "web", -1, caps.SysAdmin)}, two, nil},
		{"no capability in the finding", []dropcap.Waiver{accept("a", "web", 1, caps.NetRaw)},
			found(dropcap.RuleInert), nil},
		{"unseen is never accepted", []dropcap.Waiver{accept("a", "web", 1, caps.NetRaw), all},
			found(dropcap.RuleUnseen, caps.NetRaw), nil},
		{"a waiver of a waiver", []dropcap.Waiver{accept("a", "web", 1, caps.NetRaw)},
			found(dropcap.RuleWaiver, caps.NetRaw), nil},
		{"ALL for privileged, and a newer kernel", []dropcap.Waiver{all}, privileged,
			[]string{"all"}},
		{"ALL for privileged of unknown extent", []dropcap.Waiver{all},
			found(dropcap.RulePrivileged), []string{"all"}},
		{"ALL for nothing else", []dropcap.Waiver{all}, raw, nil},
		{"names never for privileged", []dropcap.Waiver{accept("a", "web", 1, caps.NetRaw)},
			found(dropcap.RulePrivileged, caps.NetRaw), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, w := range policy.NewWaivers(c.waivers, now).Match(web(), c.f) {
				got = append(got, w.Reason)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestStaleWaiversAreTold(t *testing.T) {
	list := []dropcap.Waiver{
		accept("used", "web", 1, caps.NetRaw),
		accept("expired", "web", 0, caps.NetRaw),
		accept("expired and of nobody", "gone", -5, caps.NetRaw),
		accept("of nobody", "gone", 1, caps.NetRaw),
		accept("needless", "web", 1, caps.SysAdmin),
		accept("part", "web", 1, caps.NetAdmin),
	}
	w := policy.NewWaivers(list, now)
	if w.Match(web(), found(dropcap.RuleNetRaw, caps.NetRaw)) == nil {
		t.Fatal("not waived")
	}
	if w.Match(web(), found(dropcap.RuleAdded, caps.NetAdmin, caps.SysPtrace)) != nil {
		t.Fatal("waived by a part")
	}
	got := map[string]policy.Staleness{}
	for _, s := range w.Stale([]dropcap.Container{web()}) {
		got[s.Waiver.Reason] = s.Why
	}
	want := map[string]policy.Staleness{"expired": policy.Expired,
		"expired and of nobody": policy.Expired,
		"of nobody":             policy.NoContainer, "needless": policy.NoFinding,
		"part": policy.NoFinding}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestKnownIsOnlyWhatTheBaselineHad(t *testing.T) {
	waived := found(dropcap.RuleAdded, caps.SysAdmin)
	waived.Waiver = &dropcap.Waiver{}
	expired := dropcap.Finding{Rule: dropcap.RuleWaiver, Because: "the waiver of web is expired"}
	judged := func(workload, name string, list ...dropcap.Finding) dropcap.Judged {
		return dropcap.Judged{Container: dropcap.Container{Workload: workload, Name: name},
			Findings: list}
	}
	known := policy.Known(dropcap.Audit{
		Findings: []dropcap.Finding{expired},
		Containers: []dropcap.Judged{
			judged("compose:shop/web", "shop-web-1", found(dropcap.RuleAdded, caps.NetAdmin,
				caps.SysTime)),
			judged("compose:shop/web", "shop-web-2", found(dropcap.RuleAdded, caps.NetAdmin,
				caps.SysNice)),
			judged("", "db", dropcap.Finding{Rule: dropcap.RuleNetRaw, Caps: caps.Of(caps.NetRaw),
				Because: "granted by default"}, waived),
			judged("", "agent", dropcap.Finding{Rule: dropcap.RulePrivileged,
				Caps: caps.UpTo(caps.AuditRead)}),
			judged("", "", found(dropcap.RuleNetRaw, caps.NetRaw)),
		},
	})
	other := expired
	other.Because = "the waiver of db is expired"
	for _, c := range []struct {
		name, identity string
		f              dropcap.Finding
		want           bool
	}{
		{"the same", "compose:shop/web", found(dropcap.RuleAdded, caps.NetAdmin, caps.SysTime),
			true},
		{"fewer capabilities", "compose:shop/web", found(dropcap.RuleAdded, caps.NetAdmin), true},
		{"one more", "compose:shop/web", found(dropcap.RuleAdded, caps.NetAdmin, caps.SysTime,
			caps.SysAdmin), false},
		{"put together from two replicas", "compose:shop/web",
			found(dropcap.RuleAdded, caps.SysTime, caps.SysNice), false},
		{"another rule", "compose:shop/web", found(dropcap.RuleDrift, caps.NetAdmin), false},
		{"name of a workload's container", "shop-web-1", found(dropcap.RuleAdded, caps.NetAdmin),
			false},
		{"by name, told otherwise", "db", found(dropcap.RuleNetRaw, caps.NetRaw), true},
		{"another name", "db2", found(dropcap.RuleNetRaw, caps.NetRaw), false},
		{"only waived then", "db", found(dropcap.RuleAdded, caps.SysAdmin), false},
		{"privileged on a newer kernel", "agent", dropcap.Finding{Rule: dropcap.RulePrivileged,
			Caps: policy.Everything}, true},
		{"of no container", "", expired, true},
		{"of no container, another", "", other, false},
		{"a nameless container is nobody", "", found(dropcap.RuleNetRaw, caps.NetRaw), false},
	} {
		if got := known(c.identity, c.f); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
