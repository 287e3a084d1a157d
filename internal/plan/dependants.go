package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/policy"
	"dropcap/internal/printable"
)

// againstDependants is what speaks against re-creating what lives in the container's namespaces, or
// links to it: one that cannot be stands against all.
func (in Input) againstDependants(s Subject) (list []Refusal) {
	const begins = "cannot change "
	for _, d := range s.Dependants {
		name := plain(d.Container.Name)
		both := fmt.Sprintf("%s%s with %s, which %s: ", begins, plain(s.Container.Name), name,
			d.how())
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

// ownersHint is for what an owner makes again together.
const ownersHint = "write it into its source by hand as shown, and let its owner make both again"

// how says what a dependant has to do with the other.
func (d Dependant) how() string {
	if d.Links {
		return "links to it"
	}
	return "lives in its namespaces"
}

// remade says why an owner would undo the re-creation of a dependant; empty if it would not.
func remade(d Dependant) string {
	kind := owner.Of(d.Container.Owner.Kind)
	if kind.Unowned || kind.Source == owner.SourceCompose {
		return ""
	}
	return fmt.Sprintf("is made again by its owner (%s), in its own way",
		plain(d.Container.Owner.Kind))
}

// apart is why a container's owner would leave one behind that lives in its namespaces, so that
// all of them are re-created without it; empty if it makes all of them again.
func (in Input) apart(s Subject) string {
	if owner.Of(s.Container.Owner.Kind).Source != owner.SourceCompose {
		return ""
	}
	for _, d := range s.Dependants {
		switch {
		case d.Apart != "":
			return fmt.Sprintf("compose would not make %s again with it, which %s: %s",
				plain(d.Container.Name), d.how(), d.Apart)
		case in.inLayer[d.Container.Workload]:
			return fmt.Sprintf("compose would lose what %s, which %s, has written into its own "+
				"layer", plain(d.Container.Name), d.how())
		}
	}
	return ""
}

// atSource leaves out that others live in its namespaces, where its owner makes them again with
// it.
func (in Input) atSource(s Subject, list []Refusal) (out []Refusal) {
	why := in.apart(s)
	for _, r := range list {
		switch {
		case r.Slug != "sharers" && r.Slug != "linkers" || len(s.Dependants) == 0:
		case why == "" && owner.Of(s.Container.Owner.Kind).Source == owner.SourceCompose:
			continue
		case why != "":
			r.Message += "; and " + why
		}
		out = append(out, r)
	}
	return out
}

// provider is what a container lives in, that is re-created with it.
type provider struct {
	name    string
	follows bool // its owner makes the container again once more, as the source says
}

// joined marks the steps that are done together with the step of what a container uses, or that
// have a dependant in common, and plans those again that are re-created with others, though they
// have an owner who would.
func (in Input) joined(steps []dropcap.Step, w *policy.Waivers) {
	at, subjects := map[string]int{}, map[string]Subject{}
	for i, s := range steps {
		at[s.Container.ID] = i
	}
	providers := slices.Clone(in.Subjects)
	slices.SortStableFunc(providers, func(a, b Subject) int { // the outermost first
		if n := len(b.Dependants) - len(a.Dependants); n != 0 {
			return n
		}
		return strings.Compare(a.Container.Name, b.Container.Name)
	})
	for _, s := range in.Subjects {
		subjects[s.Container.ID] = s
	}
	first := map[string]string{} // of each dependant, by id: the name of what it is changed with
	for range 2 {                // what is planned again may have dependants in common with others
		for _, s := range providers {
			i, ok := at[s.Container.ID]
			if !ok || !steps[i].Changes() || steps[i].Refused != "" {
				continue
			}
			for _, d := range s.Dependants {
				id := d.Container.ID
				if name, known := first[id]; known && name != s.Container.Name {
					in.with(steps, i, s, provider{name: name}, w)
				}
				if first[id] == "" && steps[i].Strategy == dropcap.StrategyRecreate {
					first[id] = cmp.Or(steps[i].With, s.Container.Name)
				}
				if k, ok := at[id]; ok {
					in.with(steps, k, subjects[id], provider{steps[i].Container.Name, d.Follows}, w)
				}
			}
		}
	}
}

// with plans a step to be done together with that of another container, unless it is done with one
// already, or by another strategy.
func (in Input) with(steps []dropcap.Step, k int, s Subject, p provider, w *policy.Waivers) {
	by := dropcap.StrategyRecreate
	for _, o := range steps {
		if o.Container.Name == p.name {
			by = o.Strategy
		}
	}
	anew := by == dropcap.StrategyRecreate && steps[k].Strategy == dropcap.StrategySource
	if !steps[k].Changes() || steps[k].With != "" && !anew {
		return
	}
	if anew {
		in.provider = &p
		steps[k] = in.step(s, w)
	}
	if steps[k].Strategy == by && steps[k].Refused == "" {
		steps[k].With = p.name
	}
}

// dependantsNotes say that others are changed together with the container, and what that brings.
func dependantsNotes(s Subject, strategy dropcap.Strategy) (list []string) {
	for _, why := range []struct {
		links bool
		since string
	}{{false, "live in its namespaces"}, {true, "link to it"}} {
		var names []string
		for _, d := range s.Dependants {
			if d.Links == why.links {
				names = append(names, plain(d.Container.Name))
			}
		}
		if len(names) > 0 {
			list = append(list, printable.Line("made again and taken back with it, in one step, "+
				"since they "+why.since+": "+strings.Join(names, ", ")))
		}
	}
	if strategy != dropcap.StrategyRecreate {
		return list
	}
	if follow := following(s); len(follow) > 0 {
		list = append(list, printable.Line("compose makes them again at its next up, as its file "+
			"says, since they live in another container then: "+strings.Join(follow, ", ")))
	}
	for _, d := range s.Dependants {
		for _, n := range d.Notes {
			list = append(list, plain(d.Container.Name)+": "+n)
		}
	}
	return list
}

// following are the dependants that their owner makes again once they live in another container.
func following(s Subject) (names []string) {
	for _, d := range s.Dependants {
		if d.Follows {
			names = append(names, plain(d.Container.Name))
		}
	}
	slices.Sort(names)
	return names
}
