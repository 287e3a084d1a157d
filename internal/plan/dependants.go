package plan

import (
	"fmt"
	"slices"
	"strings"

	"dropcap/internal/owner"
	"dropcap/internal/printable"
)

// againstDependants is what speaks against re-creating what lives in the container's namespaces:
// one that cannot be stands against all.
func (in Input) againstDependants(s Subject) (list []Refusal) {
	const begins = "cannot change "
	for _, d := range s.Dependants {
		name := plain(d.Container.Name)
		both := fmt.Sprintf("%s%s with %s, which lives in its namespaces: ", begins,
			plain(s.Container.Name), name)
		if why := remade(d); why != "" {
			list = append(list, Refusal{"sharers", both + "it " + why, ownersHint})
			continue
		}
		for _, r := range d.Against {
			r.Message = both + strings.TrimPrefix(r.Message, begins+name+": ")
			list = append(list, r)
		}
	}
	return list
}

// ownersHint is for what an owner makes again together: Compose does so for the services of a
// project.
const ownersHint = "write it into its file by hand as shown, and let its owner make both again " +
	"(`docker compose up --detach`)"

// remade says why an owner would undo the re-creation of a dependant; empty if it would not.
// Compose makes it again whenever the id of what it lives in is another one, and fails at that
// where a second container with its labels, the retained one, is there (seen with 2.x: one was
// removed and not made again).
func remade(d Dependant) string {
	kind := owner.Of(d.Container.Owner.Kind)
	if kind.Unowned {
		return ""
	}
	return fmt.Sprintf("is made again by its owner (%s) when that finds another container in the "+
		"place of what it lives in", plain(d.Container.Owner.Kind))
}

// atSource gives the refusal of a change at the source its remedy.
func (s Subject) atSource(list []Refusal) []Refusal {
	for i, r := range list {
		if r.Slug == "sharers" && slices.ContainsFunc(s.Dependants, func(d Dependant) bool {
			return remade(d) != ""
		}) {
			list[i].Hint = ownersHint
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
