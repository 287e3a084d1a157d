package audit

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func TestAChangeThatSomebodyHasUndoneIsAFinding(t *testing.T) {
	all, less := caps.DockerDefaults, caps.DockerDefaults.Minus(caps.Of(caps.NetRaw))
	change := func(id string, state dropcap.ChangeState) dropcap.Change {
		return dropcap.Change{
			ID: id, Workload: "docker:web", Name: "web", Started: "2026-06-30T10:00:00Z",
			State: state,
			After: strings.Repeat("b", 64),
			Was:   dropcap.Grant{Holds: all}, Is: dropcap.Grant{Holds: less},
		}
	}
	applied, undone := change("aaaaaaaaaaaa", dropcap.Applied), container("web", dropcap.Declared{})
	kept := container("web", dropcap.Declared{Drop: []string{"NET_RAW"}})
	other := container("db", dropcap.Declared{})
	edited := undone
	edited.ID = applied.After
	retained := stopped("web", dropcap.Declared{})
	retained.Retained = applied.ID
	for name, c := range map[string]struct {
		container dropcap.Container
		changes   []dropcap.Change
		want      string
	}{
		"made again without it": {undone, []dropcap.Change{applied}, "made the container again"},
		"its configuration edited": {edited, []dropcap.Change{applied},
			"changed its configuration"},
		"as it was left":      {kept, []dropcap.Change{applied}, ""},
		"of another workload": {other, []dropcap.Change{applied}, ""},
		"no change":           {undone, nil, ""},
		"backed out since": {undone,
			[]dropcap.Change{change("bbbbbbbbbbbb", dropcap.BackedOut), applied}, ""},
		"only rolled back": {undone,
			[]dropcap.Change{change("cccccccccccc", dropcap.RolledBack)}, ""},
		"what a change retains": {retained, []dropcap.Change{applied}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			snap := dropcap.Snapshot{Host: host(), Containers: []dropcap.Container{c.container}}
			got := ""
			for _, f := range Judge(snap, Options{Changes: c.changes, Now: now}).
				Containers[0].Findings {
				if f.Rule == dropcap.RuleReverted {
					got = f.Because
					if f.Caps != caps.Of(caps.NetRaw) ||
						!strings.Contains(f.Fix, "dropcap apply web") {
						t.Errorf("the finding is %+v", f)
					}
				}
			}
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}

// A change of several containers counts for each of them by itself.
func TestAChangeOfOthersThatSomebodyHasUndone(t *testing.T) {
	all, less := caps.DockerDefaults, caps.DockerDefaults.Minus(caps.Of(caps.NetRaw))
	change := dropcap.Change{
		ID: "aaaaaaaaaaaa", Workload: "docker:web", Name: "web", State: dropcap.Applied,
		Was: dropcap.Grant{Holds: all}, Is: dropcap.Grant{Holds: all},
		Others: []dropcap.ChangedContainer{{Workload: "docker:db", Name: "db",
			Was: dropcap.Grant{Holds: all}, Is: dropcap.Grant{Holds: less}}},
	}
	snap := dropcap.Snapshot{Host: host(), Containers: []dropcap.Container{
		container("web", dropcap.Declared{}), container("db", dropcap.Declared{}),
	}}
	var got []string
	for _, c := range Judge(snap, Options{Changes: []dropcap.Change{change}, Now: now}).Containers {
		for _, f := range c.Findings {
			if f.Rule == dropcap.RuleReverted {
				got = append(got, c.Name)
			}
		}
	}
	if strings.Join(got, " ") != "db" {
		t.Errorf("undone are %v", got)
	}
}
