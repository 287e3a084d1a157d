package plan

import (
	"slices"
	"strings"

	"dropcap"
)

// ordered puts each step behind those of the containers that it depends on; otherwise the order is by name, so that equal plans are equal. A
// circle, which only labels can claim, is cut at the first name.
func ordered(steps []dropcap.Step, subjects []Subject) []dropcap.Step {
	slices.SortFunc(steps, func(a, b dropcap.Step) int {
		return strings.Compare(a.Container.Name+"\x00"+a.Container.ID, b.Container.Name+"\x00"+b.Container.ID)
	})
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

// within keeps the ids that have a step, each once and in the steps' order.
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
