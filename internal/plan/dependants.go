package plan

import (
	"fmt"
	"strings"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
)

// againstDependants is what speaks against re-creating what lives in the container's namespaces:
// one that cannot be stands against all.
func (in Input) againstDependants(s Subject) (list []Refusal) {
	const begins = "cannot change "
	for _, d := range s.Dependants {
		kind := owner.Of(d.Container.Owner.Kind)
		if kind.Strategy(in.Options.Strategy) != dropcap.StrategyRecreate {
			hint := "--strategy recreate changes both together"
			if kind.Strategy(dropcap.StrategyRecreate) != dropcap.StrategyRecreate {
				hint = "change both where they are defined"
			}
			list = append(list, Refusal{"sharers", fmt.Sprintf("%s%s with what lives in its "+
				"namespaces: %s is made again by its owner (%s)", begins, plain(s.Container.Name),
				plain(d.Container.Name), d.Container.Owner.Kind), hint})
			continue
		}
		for _, r := range d.Against {
			r.Message = fmt.Sprintf("%s%s with what lives in its namespaces: %s", begins,
				plain(s.Container.Name), strings.TrimPrefix(r.Message, begins))
			list = append(list, r)
		}
	}
	return list
}

// dependantsNotes say that others are changed together with the container, and what that brings.
func dependantsNotes(s Subject) (list []string) {
	var names []string
	for _, d := range s.Dependants {
		names = append(names, plain(d.Container.Name))
	}
	if len(names) == 0 {
		return nil
	}
	list = append(list, printable.Line(
		"made again and taken back with it, in one step, since they "+
			"live in its namespaces: "+strings.Join(names, ", ")))
	for _, d := range s.Dependants {
		for _, n := range d.Notes {
			list = append(list, plain(d.Container.Name)+": "+n)
		}
	}
	return list
}
