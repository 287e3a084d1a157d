package host

import (
	"context"
	"maps"
	"slices"

	"dropcap"
	"dropcap/internal/apply"
)

// planSaved plans again what a file says, and refuses each step that comes out otherwise: what is
// applied is only ever what was just planned.
func (h *Host) planSaved(ctx context.Context, ch *Changing, q ApplyRequest) (Planned, error) {
	var all Planned
	saved := q.Saved
	fresh := map[string]dropcap.Step{}
	for _, g := range groups(saved.Steps) {
		// The file does not say what its maker accepted. Of the two answers the one that he has
		// seen counts.
		for _, low := range []bool{q.Options.AcceptLow, true} {
			one := q.PlanRequest
			one.Names, one.IfPresent = g.ids, true
			one.Options.AcceptLow, one.Options.Strategy = low, g.strategy
			one.Options.Deprivilege = g.deprivilege || q.Options.Deprivilege
			p, err := h.plan(ctx, ch.Session, ch.Store, one)
			if err != nil {
				return all, err
			}
			for _, s := range p.Plan.Steps {
				if old, seen := fresh[s.Container.ID]; !seen ||
					!apply.Equal(old, g.steps[s.Container.ID]) {
					fresh[s.Container.ID] = s
				}
			}
			all = joined(all, p)
		}
	}
	all.Plan.ID, all.Plan.Steps = saved.ID, nil
	for _, s := range saved.Steps {
		if !s.Changes() && s.Refused == "" {
			continue
		}
		now, ok := fresh[s.Container.ID]
		all.Plan.Steps = append(all.Plan.Steps, apply.Agreed(s, now, ok))
	}
	return all, nil
}

// group are steps that are planned together.
type group struct {
	strategy    dropcap.Strategy
	deprivilege bool
	ids         []string
	steps       map[string]dropcap.Step
}

func groups(steps []dropcap.Step) []group {
	var list []group
	for _, s := range steps {
		if !s.Changes() || s.Refused != "" {
			continue
		}
		key := group{strategy: s.Strategy, deprivilege: s.Before.Privileged && !s.After.Privileged}
		at := slices.IndexFunc(list, func(g group) bool {
			return g.strategy == key.strategy && g.deprivilege == key.deprivilege
		})
		if at < 0 {
			key.steps = map[string]dropcap.Step{}
			list, at = append(list, key), len(list)
		}
		list[at].ids = append(list[at].ids, s.Container.ID)
		list[at].steps[s.Container.ID] = s
	}
	return list
}

func joined(all, p Planned) Planned {
	if all.recipes == nil {
		return p
	}
	maps.Copy(all.recipes, p.recipes)
	maps.Copy(all.original, p.original)
	maps.Copy(all.containers, p.containers)
	maps.Copy(all.groups, p.groups)
	all.input.Subjects = append(all.input.Subjects, p.input.Subjects...)
	if all.Plan.Host.ID == "" {
		all.Plan.Host = p.Plan.Host
	}
	return all
}
