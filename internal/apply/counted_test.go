package apply

import (
	"slices"
	"testing"

	"dropcap"
)

// countedStage is stage with a container that compose counts.
func countedStage(t *testing.T) (*scripted, Job) {
	t.Helper()
	s, j := stage(t, "always", true)
	s.made["Config"].(map[string]any)["Labels"] = map[string]string{
		"com.docker.compose.project": "shop", "com.docker.compose.service": "web",
		"com.docker.compose.config-hash": "0",
	}
	j.Original.Inspect = s.inspect(s.boxes[old])
	j.Recipe = reread(t, j.Original)
	return s, j
}

// An old container that compose would count is not retained once the new one has passed, and a
// backout makes it again, whatever goes wrong.
func TestCountedWhateverGoesWrong(t *testing.T) {
	for name, do := range map[string]func(*scripted, Job){
		"forth": forth, "failing": failing, "back": andBack,
	} {
		s, j := countedStage(t)
		do(s, j)
		removed := slices.Contains(s.log, "remove-old")
		if removed != (name != "failing") ||
			slices.Contains(s.log, "create-again") != (name == "back") {
			t.Errorf("%s: %v", name, s.log)
		}
		var effects []string
		for _, e := range s.log {
			if !slices.Contains(effects, e) {
				effects = append(effects, e)
			}
		}
		for _, effect := range effects {
			for _, how := range []string{"crash", "error", "hang", "power", "both", "prune"} {
				for _, when := range []string{"before", "after"} {
					f := fault{when, effect, how}
					t.Run(name+" "+f.String(), func(t *testing.T) {
						s, j := countedStage(t)
						s.fault = f
						survives(func() { do(s, j) })
						s.sick = false
						s.settle(t)
						s.check(t, true)
						if len(s.changes) == 0 {
							return // it had not begun
						}
						last := s.changes[len(s.changes)-1]
						kept := last.State == dropcap.Applied && len(s.boxes) > 1
						if kept && !(how == "error" && effect == "remove-old") {
							t.Errorf("there are %s", s.names())
						}
						if last.Retained() != "" && !kept && how != "prune" {
							t.Errorf("%s is said to be retained", last.Retained())
						}
					})
				}
			}
		}
	}
}

// One that somebody has given another name is his.
func TestCountedButRenamedStays(t *testing.T) {
	s, j := countedStage(t)
	s.fault = fault{"after", "start-new", "rename"}
	forth(s, j)
	if slices.Contains(s.log, "remove-old") || s.boxes[old] == nil {
		t.Errorf("it was removed: %v", s.log)
	}
	if last := s.changes[0]; last.State != dropcap.Applied || last.Retained() != old {
		t.Errorf("the journal says %+v", last)
	}
}
