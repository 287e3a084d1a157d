package plan

import (
	"slices"
	"strings"

	"dropcap"
)

// byName sorts the containers, so that their order does not change the plan.
func byName(steps []dropcap.Step) []dropcap.Step {
	slices.SortFunc(steps, func(a, b dropcap.Step) int {
		return strings.Compare(a.Container.Name+"\x00"+a.Container.ID, b.Container.Name+"\x00"+
			b.Container.ID)
	})
	return steps
}

// ordered moves each step behind the steps of the containers that it depends on, and else keeps the
// order. A cycle, which only labels can claim, is cut at its first step.
func ordered(steps []dropcap.Step, subjects []Subject) []dropcap.Step {
	at := map[string]int{}
	for i, s := range steps {
		at[s.Container.ID] = i
	}
	needs := map[string][]string{}
	for _, s := range subjects {
		needs[s.Container.ID] = s.DependsOn
	}
	out := make([]dropcap.Step, 0, len(steps))
	done := make([]bool, len(steps))
	var visit func(i int)
	visit = func(i int) {
		if done[i] {
			return
		}
		done[i] = true
		steps[i].DependsOn = within(needs[steps[i].Container.ID], at, i)
		for _, id := range steps[i].DependsOn {
			visit(at[id])
		}
		out = append(out, steps[i])
	}
	for i := range steps {
		visit(i)
	}
	return out
}

// within returns the ids that have a step, each once and in the steps' order.
func within(ids []string, at map[string]int, self int) []string {
	var out []string
	for _, id := range ids {
		if i, ok := at[id]; ok && i != self && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return at[a] - at[b] })
	return out
}

// together merges the steps of a service that its owner re-creates as one: the first step stays,
// and names the others.
func together(steps []dropcap.Step) []dropcap.Step {
	var out []dropcap.Step
	first := map[dropcap.Owner]int{}
	others := map[int][]string{}
	for _, s := range steps {
		i, known := first[s.Owner]
		switch {
		case s.Strategy != dropcap.StrategySource || !s.Changes() || s.Owner.Service == "":
		case known && sameGrant(out[i].Before, s.Before) && sameGrant(out[i].After, s.After):
			others[i] = append(others[i], plain(s.Container.Name))
			continue
		case !known:
			first[s.Owner] = len(out)
		}
		out = append(out, s)
	}
	for i, names := range others {
		out[i].Warnings = append(out[i].Warnings,
			"its owner makes all containers of the service again, also "+strings.Join(names, ", "))
	}
	return out
}

func sameGrant(a, b dropcap.Grant) bool {
	return a.Privileged == b.Privileged && a.Holds == b.Holds && slices.Equal(a.CapAdd, b.CapAdd) &&
		slices.Equal(a.CapDrop, b.CapDrop)
}
