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

// Advice is one thing to do next: a command of dropcap's, without its own name, and why.
type Advice struct {
	Why  string
	Args []string
}

// mostNamed is how many containers a command names before it is about all of them.
const mostNamed = 12

// Next returns what to do about the findings that a plan can mend: record what is not known, plan,
// apply. It goes by what evidence there is of the containers. None where nothing is to be done.
func Next(a dropcap.Audit, o Options) []Advice {
	var todo, unknown, unstarted []string
	for _, c := range a.Containers {
		if !mendable(c) {
			continue
		}
		name := called(c.Container)
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

// called is what a command calls the container: its name, or its id where the name would be taken
// for something else, such as a file of a plan.
func called(c dropcap.Container) string {
	if !ordinary.MatchString(c.Name) || strings.HasSuffix(c.Name, ".json") {
		return c.ID[:min(len(c.ID), 12)]
	}
	return c.Name
}

// ordinary is how the engine lets a container be called (moby daemon/names/names.go).
var ordinary = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// mendable reports whether the container has a finding that a plan can do something about.
func mendable(c dropcap.Judged) bool {
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

// knowledge reports whether evidence is enough for a plan at level least, and else what it lacks.
func knowledge(list []dropcap.WorkloadEvidence, c dropcap.Container,
	h dropcap.Host) (evidence.Gaps, bool) {
	s, ok := support(list, c, h)
	if !ok {
		return evidence.Gaps{}, false
	}
	gaps := s.Gaps()
	return gaps, s.Level != dropcap.ConfidenceLow || gaps.FirstOnly()
}

// record advises to learn from containers, by name if that is not of all.
func record(names []string, some bool) []Advice {
	if len(names) == 0 {
		return nil
	}
	why := "record what " + printable.Count(len(names), "container") + " really use: too little " +
		"is known of that; restart each once meanwhile, to see it start"
	args := []string{"learn"}
	if some && len(names) <= mostNamed {
		args = append(args, names...)
	}
	return []Advice{{why, append(args, "--for=1h")}}
}

// restart advises to see containers start, of which all else was seen.
func restart(names []string) []Advice {
	if len(names) == 0 {
		return nil
	}
	return []Advice{{"see " + printable.Count(len(names), "container") +
		" start, of which all else is known; this restarts them",
		slices.Concat([]string{"learn"}, names, []string{"--restart", "--for=1m"})}}
}
