package audit

import (
	"regexp"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/printable"
)

// Advice is a suggested next step: a dropcap command, without the program's name, and the reason.
type Advice struct {
	Why  string
	Args []string
}

// maxNamed is how many containers a command names; for more, it addresses all.
const maxNamed = 12

// Next returns what to do about the findings that a plan can fix: record what is missing, plan,
// apply. It depends on the evidence about the containers. None if there is nothing to do.
func Next(a dropcap.Audit, o Options) []Advice {
	var todo, unknown, unstarted []string
	for _, c := range a.Containers {
		if !fixable(c) {
			continue
		}
		name := reference(c.Container)
		todo = append(todo, name)
		gaps, known := knowledge(o.Evidence, c.Container, a.Host)
		switch {
		case known:
		case gaps == evidence.Gaps{Start: true}:
			unstarted = append(unstarted, name)
		default:
			unknown = append(unknown, name)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	names := []string{}
	if o.Partial {
		names = todo
	}
	some := o.Partial || len(unknown) < len(todo)
	list := append(record(unknown, some), restart(unstarted)...)
	least := "--level=" + string(dropcap.LevelLeast)
	list = append(list,
		Advice{"see what each would lose, and why some are refused; nothing is changed",
			slices.Concat([]string{"plan"}, names, []string{least})},
		Advice{"change what is ready, one after the other; what does not work is rolled back by " +
			"itself",
			slices.Concat([]string{"apply"}, names, []string{"--all-ready", least})})
	if cis := len(unknown)+len(unstarted) > 0 && a.Policy.Level == dropcap.LevelCIS; cis &&
		slices.ContainsFunc(a.Containers, onlyRaw) {
		list = append(list, Advice{"or at once, and NET_RAW alone: level cis drops it without " +
			"evidence",
			slices.Concat([]string{"apply"}, names, []string{"--all-ready", "--level=cis"})})
	}
	return list
}

// reference returns how a command names the container: by name, or by id if the name could be
// mistaken, such as for the file of a plan.
func reference(c dropcap.Container) string {
	if !ordinary.MatchString(c.Name) || strings.HasSuffix(c.Name, ".json") {
		return c.ID[:min(len(c.ID), 12)]
	}
	return c.Name
}

// ordinary matches the container names that the engine allows (moby daemon/names/names.go).
var ordinary = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// fixable reports whether the container has a finding that a plan can fix.
func fixable(c dropcap.Judged) bool {
	return slices.ContainsFunc(c.Findings, func(f dropcap.Finding) bool {
		switch f.Rule {
		case dropcap.RuleNetRaw, dropcap.RuleAdded, dropcap.RuleUnneeded, dropcap.RulePrivileged:
			return f.Counts()
		}
		return false
	})
}

func onlyRaw(c dropcap.Judged) bool {
	return slices.ContainsFunc(c.Findings, func(f dropcap.Finding) bool {
		return f.Counts() && f.Rule == dropcap.RuleNetRaw && f.Caps == caps.Of(caps.NetRaw)
	})
}

// knowledge reports whether the evidence suffices for a plan at level least, and if not, what is
// missing.
func knowledge(list []dropcap.WorkloadEvidence, c dropcap.Container,
	h dropcap.Host) (evidence.Gaps, bool) {
	s, ok := support(list, c, h)
	if !ok {
		return evidence.Gaps{}, false
	}
	gaps := s.Gaps()
	return gaps, s.Level != dropcap.ConfidenceLow || gaps.FirstOnly()
}

// record advises to learn from the containers, named unless they are all.
func record(names []string, some bool) []Advice {
	if len(names) == 0 {
		return nil
	}
	why := "record what " + printable.Count(len(names), "container") + " really use: too little " +
		"is known of that; restart each once meanwhile, to see it start"
	args := []string{"learn"}
	if some && len(names) <= maxNamed {
		args = append(args, names...)
	}
	return []Advice{{why, append(args, "--for=1h")}}
}

// restart advises to observe the start of containers of which everything else was observed.
func restart(names []string) []Advice {
	if len(names) == 0 {
		return nil
	}
	return []Advice{{"see " + printable.Count(len(names), "container") +
		" start, of which all else is known; this restarts them",
		slices.Concat([]string{"learn"}, names, []string{"--restart", "--for=1m"})}}
}
