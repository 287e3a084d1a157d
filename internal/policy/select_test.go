package policy_test

import (
	"path"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/policy"
)

func web() dropcap.Container {
	return dropcap.Container{Name: "web", Image: "registry.example/team/web:1.2",
		Workload: "compose:shop/web",
		Labels:   []string{"role", "tier", "brought"}, ImageLabels: []string{"brought"},
		LabelValues: map[string]string{"role": "vpn", "tier": ""}}
}

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		s    dropcap.Selector
		want bool
	}{
		{dropcap.Selector{}, true},
		{dropcap.Selector{Name: "web"}, true},
		{dropcap.Selector{Name: "we"}, false},
		{dropcap.Selector{Name: "eb"}, false},
		{dropcap.Selector{Name: "Web"}, false},
		{dropcap.Selector{Name: "web2"}, false},
		{dropcap.Selector{Name: "w*"}, true},
		{dropcap.Selector{Name: "*"}, true},
		{dropcap.Selector{Name: "w?b"}, true},
		{dropcap.Selector{Name: "w[a-f]b"}, true},
		{dropcap.Selector{Name: "w[^a-f]b"}, false},
		{dropcap.Selector{Name: "w[e"}, false},
		{dropcap.Selector{Image: "web:*"}, false},
		{dropcap.Selector{Image: "*/web:*"}, true},
		{dropcap.Selector{Image: "registry.example/*/web:1.*"}, true},
		{dropcap.Selector{Image: "registry.example*"}, true},
		{dropcap.Selector{Image: "registry.example?team/web:1.2"}, false},
		{dropcap.Selector{Image: "registryxexample/team/web:1.2"}, false},
		{dropcap.Selector{Workload: "compose:shop/*"}, true},
		{dropcap.Selector{Workload: "compose:*"}, true},
		{dropcap.Selector{Workload: "compose:shop"}, false},
		{dropcap.Selector{Label: "role"}, true},
		{dropcap.Selector{Label: "rol"}, false},
		{dropcap.Selector{Label: "role=vpn"}, true},
		{dropcap.Selector{Label: "role=vp"}, false},
		{dropcap.Selector{Label: "role=vp*"}, false},
		{dropcap.Selector{Label: "role="}, false},
		{dropcap.Selector{Label: "tier="}, true},
		{dropcap.Selector{Label: "none="}, false},
		{dropcap.Selector{Label: "brought"}, false},
		{dropcap.Selector{Label: "brought="}, false},
		{dropcap.Selector{Name: "web", Label: "role=vpn", Workload: "compose:shop/web", Image: "*"},
			true},
		{dropcap.Selector{Name: "web", Label: "role=db"}, false},
		{dropcap.Selector{Name: "db", Label: "role=vpn"}, false},
	} {
		if got := policy.Select(c.s, web()); got != c.want {
			t.Errorf("%+v: %v, want %v", c.s, got, c.want)
		}
	}
}

// docker-bench-security skips every container whose name contains "nil", and applies one exclusion
// to all names that contain it.
func TestAWaiverDoesNotLeakToNamesThatContainIt(t *testing.T) {
	for _, name := range []string{"web2", "old-web", "web.1", "websphere", "vanilla", "WEB",
		"web/x", "", " web"} {
		for _, pattern := range []string{"web", "nil", "w[e]b", `w\eb`} {
			if policy.Select(dropcap.Selector{Name: pattern}, dropcap.Container{Name: name}) {
				t.Errorf("%q picks %q", pattern, name)
			}
		}
	}
}

func TestLabelNamesSufficeWithoutValues(t *testing.T) {
	c := web()
	c.LabelValues = nil
	if !policy.Select(dropcap.Selector{Label: "role"}, c) ||
		policy.Select(dropcap.Selector{Label: "rule"}, c) {
		t.Error("a key alone must be judged by the names of labels")
	}
	if policy.Select(dropcap.Selector{Label: "brought"}, c) {
		t.Error("an image's own label selects")
	}
	if c.ImageLabels = nil; policy.Select(dropcap.Selector{Label: "role"}, c) {
		t.Error("a label of which nobody knows whether the image brought it selects")
	}
}

func TestUnknownLabelValuesAreTold(t *testing.T) {
	live, stored := web(), web()
	stored.LabelValues = nil
	older := stored
	older.ImageLabels = nil
	valued := dropcap.Waiver{Containers: dropcap.Selector{Label: "role=vpn"}, Line: 7}
	for _, c := range []struct {
		name string
		p    dropcap.Policy
		list []dropcap.Container
		line int
		yes  bool
	}{
		{"live", dropcap.Policy{Waivers: []dropcap.Waiver{valued}}, []dropcap.Container{live}, 0,
			false},
		{"stored", dropcap.Policy{Waivers: []dropcap.Waiver{{}, valued}},
			[]dropcap.Container{live, stored}, 7, true},
		{"keep", dropcap.Policy{Keeps: []dropcap.Keep{{Containers: valued.Containers}}},
			[]dropcap.Container{stored}, 0, true},
		{"key alone",
			dropcap.Policy{Waivers: []dropcap.Waiver{
				{Containers: dropcap.Selector{Label: "role"}},
			}},
			[]dropcap.Container{stored}, 0, false},
		{"key alone, of an older document",
			dropcap.Policy{Waivers: []dropcap.Waiver{{Containers: dropcap.Selector{Label: "role"},
				Line: 3}}},
			[]dropcap.Container{older}, 3, true},
		{"the image's",
			dropcap.Policy{Waivers: []dropcap.Waiver{
				{Containers: dropcap.Selector{Label: "brought=x"}},
			}},
			[]dropcap.Container{stored}, 0, false},
		{"no such label",
			dropcap.Policy{Waivers: []dropcap.Waiver{
				{Containers: dropcap.Selector{Label: "rule=x"}},
			}},
			[]dropcap.Container{stored}, 0, false},
		{"ruled out by name",
			dropcap.Policy{Waivers: []dropcap.Waiver{{Containers: dropcap.Selector{Name: "db",
				Label: "role=x"}}}},
			[]dropcap.Container{stored}, 0, false},
	} {
		if line, yes := policy.NeedsLabelValues(c.p, c.list); line != c.line || yes != c.yes {
			t.Errorf("%s: %d %v, want %d %v", c.name, line, yes, c.line, c.yes)
		}
	}
}

func TestKeptIsTheUnionOfWhatPicksTheContainer(t *testing.T) {
	p := dropcap.Policy{Keeps: []dropcap.Keep{
		{Containers: dropcap.Selector{Name: "w*"}, Caps: caps.Of(caps.NetAdmin), Reason: "a"},
		{Containers: dropcap.Selector{Name: "db"}, Caps: caps.Of(caps.SysAdmin), Reason: "b"},
		{Containers: dropcap.Selector{Label: "tier"}, Caps: caps.Of(caps.NetRaw), Reason: "c"},
	}}
	got, why := policy.Kept(p, web())
	if got != caps.Of(caps.NetAdmin, caps.NetRaw) || len(why) != 2 || why[0].Reason != "a" ||
		why[1].Reason != "c" {
		t.Errorf("%v because of %+v", got, why)
	}
}

// A pattern made to be slow is not slow; a hostile name may be, too.
func TestHostilePatternsEndSoon(t *testing.T) {
	began := time.Now()
	policy.Select(dropcap.Selector{Image: strings.Repeat("*a", 2000) + "b"},
		dropcap.Container{Image: strings.Repeat("a", 20000)})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// path.Match defines what a pattern means if there is no slash in the text.
func FuzzSelect(f *testing.F) {
	for _, p := range []string{"", "web", "w*", "*", "w?b", "[a-c]*", "[^x]", `a\*`, "a[", "[]a]",
		"[z-a]", "*a*b*c", "[\\]]", "é?", "**", "[-a]", "a-b]"} {
		for _, s := range []string{"web", "abc", "a*", "é€", "", "r/x/web:1"} {
			f.Add(p, s)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if pattern == "" || !utf8.ValidString(pattern) || !utf8.ValidString(name) {
			return
		}
		got := policy.Select(dropcap.Selector{Name: pattern}, dropcap.Container{Name: name})
		ref, err := path.Match(pattern, name)
		switch {
		case err != nil && got:
			t.Fatalf("%q is bad to path.Match, but picks %q", pattern, name)
		case err == nil && ref && !got && !backwards(pattern):
			t.Fatalf("%q must pick %q, as with path.Match", pattern, name)
		case err == nil && !ref && got && !strings.Contains(name, "/"):
			t.Fatalf("%q must not pick %q", pattern, name)
		}
		if got && !strings.ContainsAny(pattern, `*?[\`) && name != pattern {
			t.Fatalf("%q picks %q", pattern, name)
		}
	})
}

// backwards reports whether the pattern may have a range like [z-a], which we refuse and path.Match
// accepts as matching nothing.
func backwards(pattern string) bool {
	in := []rune(pattern)
	for i := 1; i+1 < len(in); i++ {
		if in[i] == '-' && strings.Contains(pattern, "[") {
			return true
		}
	}
	return false
}
