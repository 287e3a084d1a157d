package apply

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"dropcap"
)

// countedGroup is a group of which compose counts one, so that no old one is retained.
func countedGroup(t *testing.T) (*scripted, Job) {
	t.Helper()
	s, j := groupStage(t, "always", true)
	s.group["db"]["Config"].(map[string]any)["Labels"] = map[string]string{
		"com.docker.compose.project": "p", "com.docker.compose.service": "db",
		"com.docker.compose.config-hash": "1", "com.docker.compose.container-number": "1",
	}
	m := &j.Members[0]
	m.Original.Inspect = s.inspect(s.find("db"))
	m.Recipe = reread(t, m.Original)
	return s, j
}

// Of a group of which compose counts one, all old ones are removed once the new ones have passed,
// and all are made again by a backout, wherever it is killed.
func TestGroupThatComposeCounts(t *testing.T) {
	mine := regexp.MustCompile("^(remove-old|create-again|carry-again|sync-again|note-)")
	for _, way := range []struct {
		name string
		do   func(*scripted, Job)
	}{{"forth", forth}, {"back", andBack}} {
		s, j := countedGroup(t)
		way.do(s, j)
		s.checkGroup(t, true)
		if n := len(s.boxes); n != len(household) {
			t.Errorf("%s: there are %d containers: %s", way.name, n, s.names())
		}
		effects := slices.Compact(slices.Sorted(slices.Values(s.log)))
		if !slices.Contains(effects, "remove-old") || !slices.Contains(effects, "remove-old-4") {
			t.Fatalf("%s: %v", way.name, effects)
		}
		for _, effect := range effects {
			if !mine.MatchString(effect) && os.Getenv("DROPCAP_TEST_FULL") == "" {
				continue
			}
			for i, how := range []string{"crash", "error", "power", "both"} {
				for k, when := range []string{"before", "after"} {
					if os.Getenv("DROPCAP_TEST_FULL") == "" && (i == 3 || i > 0 && (i+k)%2 > 0) {
						continue
					}
					f := fault{when, effect, how}
					t.Run(way.name+" "+f.String(), func(t *testing.T) {
						s, j := countedGroup(t)
						s.fault = f
						survives(func() { way.do(s, j) })
						s.settle(t)
						if s.excused {
							s.again()
						}
						s.checkGroup(t, true)
						list, _ := s.Changes(t.Context())
						if len(list) > 0 && list[0].State == dropcap.Applied && how == "crash" &&
							len(s.boxes) != len(household) {
							t.Errorf("there are %s", s.names())
						}
					})
				}
			}
		}
	}
}
