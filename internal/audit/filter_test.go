package audit

import (
	"errors"
	"slices"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func TestFiltersAreSeparatedFromDockers(t *testing.T) {
	engine, ours, err := SplitFilters([]string{
		"status=running", "verdict=fail", "label=tier=front", "verdict=unknown", "owner=compose",
	})
	if err != nil || !slices.Equal(engine, []string{"status=running", "label=tier=front"}) {
		t.Errorf("docker's: %q, %v", engine, err)
	}
	if !slices.Equal(ours["verdict"], []string{"fail", "unknown"}) || len(ours) != 2 {
		t.Errorf("ours: %q", ours)
	}
	for _, bad := range []string{"", "running", "=x", "verdict=bad", "rule=none", "cap=NET_WAR"} {
		_, _, err := SplitFilters([]string{bad})
		var e *dropcap.Error
		if !errors.As(err, &e) || e.Code != dropcap.CodeUsage || e.Hint == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAFilterPicksWhatWasJudged(t *testing.T) {
	judged := func(name, owner string, v dropcap.Verdict, r dropcap.Rule,
		held caps.Set) dropcap.Judged {
		c := dropcap.Judged{Container: dropcap.Container{Name: name, State: "running"}, Verdict: v}
		c.Owner.Kind = owner
		c.Kernel = dropcap.Kernel{Visible: true, Bounding: &held, Permitted: &held,
			Effective:   &held,
			Inheritable: &held, Ambient: &held}
		if r != "" {
			c.Findings = []dropcap.Finding{{Rule: r}}
		}
		return c
	}
	a := dropcap.Audit{Containers: []dropcap.Judged{
		judged("web", "compose", dropcap.Fail, "net-raw", caps.Of(caps.NetRaw)),
		judged("db", "docker", dropcap.Fail, "added", caps.Of(caps.SysTime)),
		judged("cache", "docker", dropcap.Pass, "", 0),
	}}
	for name, c := range map[string]struct {
		filter Filter
		want   []string
	}{
		"none":    {nil, []string{"web", "db", "cache"}},
		"verdict": {Filter{"verdict": {"fail"}}, []string{"web", "db"}},
		"alternatives": {Filter{"verdict": {"pass", "fail"}},
			[]string{"web", "db", "cache"}},
		"different keys all hold": {Filter{"verdict": {"fail"}, "owner": {"docker"}},
			[]string{"db"}},
		"rule":    {Filter{"rule": {"net-raw"}}, []string{"web"}},
		"cap":     {Filter{"cap": {"sys_time"}}, []string{"db"}},
		"nothing": {Filter{"owner": {"ecs"}}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.filter.Apply(a)
			names := []string{}
			for _, one := range got.Containers {
				names = append(names, one.Name)
			}
			counted := c.filter == nil || got.Summary.Containers == len(names)
			if !slices.Equal(names, c.want) || !counted {
				t.Errorf("%q, %+v", names, got.Summary)
			}
		})
	}
}
