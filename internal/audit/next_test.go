package audit

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

// learned is evidence of a container, with so many starts seen in so many seconds.
func learned(c dropcap.Container, cold, warm int, seconds int64) dropcap.WorkloadEvidence {
	return dropcap.WorkloadEvidence{Workload: c.Workload, Revision: c.Revision,
		Held: caps.DockerDefaults, Sources: []dropcap.Source{{Container: c.ID,
			Since: "2026-06-01T00:00:00Z", Until: "2026-06-01T02:00:00Z", Seconds: seconds,
			StartsCold: cold, StartsWarm: warm}}}
}

// What to do next goes by what the store knows of the containers that have to change.
func TestNextGoesByWhatIsKnown(t *testing.T) {
	names := func(n int) (list []dropcap.Container) {
		for i := range n {
			c := container("c"+string(rune('a'+i)), caps.Declared{})
			c.Revision = "r"
			list = append(list, c)
		}
		return list
	}
	fine := container("fine", caps.Declared{Drop: []string{"ALL"}})
	odd := container("odd.json", caps.Declared{})
	evil := container("--yes; rm -rf /", caps.Declared{})
	const planned, applied = "plan --level=least", "apply --all-ready --level=least"
	for name, c := range map[string]struct {
		list    []dropcap.Container
		known   func([]dropcap.Container) []dropcap.WorkloadEvidence
		partial bool
		level   dropcap.Level
		want    []string
	}{
		"nothing to do": {list: []dropcap.Container{fine}},
		"nothing known": {list: append(names(3), fine),
			want: []string{"learn --for=1h", planned, applied, "apply --all-ready --level=cis"}},
		"nothing known, level least": {list: names(2), level: dropcap.LevelLeast,
			want: []string{"learn --for=1h", planned, applied}},
		"some are named": {list: names(2), partial: true, want: []string{"learn ca cb --for=1h",
			"plan ca cb --level=least", "apply ca cb --all-ready --level=least",
			"apply ca cb --all-ready --level=cis"}},
		"one is known": {list: names(2), want: []string{"learn cb --for=1h", planned, applied,
			"apply --all-ready --level=cis"},
			known: func(l []dropcap.Container) []dropcap.WorkloadEvidence {
				return []dropcap.WorkloadEvidence{learned(l[0], 1, 0, 900)}
			}},
		"all are known": {list: names(2), want: []string{planned, applied},
			known: func(l []dropcap.Container) []dropcap.WorkloadEvidence {
				return []dropcap.WorkloadEvidence{learned(l[0], 1, 0, 900),
					learned(l[1], 0, 1, 900)}
			}},
		"a start is missing": {list: names(1), want: []string{"learn ca --restart --for=1m",
			planned,
			applied, "apply --all-ready --level=cis"},
			known: func(l []dropcap.Container) []dropcap.WorkloadEvidence {
				return []dropcap.WorkloadEvidence{learned(l[0], 0, 0, 900)}
			}},
		"names that are no words": {list: []dropcap.Container{odd, evil}, partial: true,
			level: dropcap.LevelLeast,
			want: []string{"learn aaaaaaaaaaaa aaaaaaaaaaaa --for=1h",
				"plan aaaaaaaaaaaa aaaaaaaaaaaa --level=least",
				"apply aaaaaaaaaaaa aaaaaaaaaaaa --all-ready --level=least"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Policy: dropcap.Policy{Level: c.level}, Partial: c.partial, Now: now}
			s := dropcap.Snapshot{Host: host(), Containers: c.list}
			if c.known != nil {
				o.Evidence = c.known(c.list)
			}
			var got []string
			for _, a := range Next(Judge(s, o), o) {
				if a.Why == "" {
					t.Error("a command without a reason")
				}
				got = append(got, strings.Join(a.Args, " "))
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}
