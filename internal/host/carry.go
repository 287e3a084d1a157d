package host

import (
	"context"
	"fmt"
	"slices"

	"dropcap"
	"dropcap/internal/plan"
	"dropcap/internal/printable"
	"dropcap/internal/recreate"
)

// recreation is what the request allows for a container.
func (q PlanRequest) recreation(st dropcap.Strategy, id string) recreate.Options {
	o := recreate.Options{Strategy: st, DiscardLayer: q.DiscardLayer, CarryLimit: q.CarryLimit,
		Together: st == dropcap.StrategyRecreate}
	if q.agreed[id] {
		o.CarryLimit = recreate.NoCarryLimit
	}
	return o
}

// carried returns a plan's description of a layer that is copied; nil if it is not, or is empty.
func carried(r *recreate.Recipe, o recreate.Options) *dropcap.CarriedLayer {
	f := r.LayerFacts()
	if !r.Carries(o) || f.Entries == 0 {
		return nil
	}
	return &dropcap.CarriedLayer{Bytes: f.Bytes, Entries: f.Entries,
		DowntimeMS: f.Downtime().Milliseconds()}
}

// askCarry asks about each step that is refused only because of a large layer, and plans again what
// was agreed to.
func (p *Planned) askCarry(ctx context.Context, observer Observer, q PlanRequest) error {
	if !q.AskCarry {
		return nil
	}
	for i, s := range p.Plan.Steps {
		id := s.Container.ID
		if _, answered := q.agreed[id]; answered || s.Refused == "" || !p.onlyLarge(s, q) {
			continue
		}
		q.agreed[id] = true
		if plan.Make(p.input).Steps[i].Refused != "" { // it is refused for other reasons, too
			q.agreed[id] = false
			continue
		}
		f := p.recipes[id].LayerFacts()
		err := observer.Ask(ctx,
			fmt.Sprintf("The own layer of %s holds %s in %d entries; to carry it along %s. Carry "+
				"it along?",
				s.Container.Name, printable.Bytes(f.Bytes), f.Entries, f.Cost()))
		if ctx.Err() != nil {
			return err
		}
		q.agreed[id] = err == nil
	}
	p.Plan = plan.Make(p.input)
	return nil
}

// onlyLarge reports whether the size of its layer prevents re-creating the step's container.
func (p *Planned) onlyLarge(s dropcap.Step, q PlanRequest) bool {
	r := p.recipes[s.Container.ID]
	return r != nil && s.Strategy == dropcap.StrategyRecreate && slices.ContainsFunc(
		r.Refusals(q.recreation(s.Strategy, s.Container.ID)), func(x recreate.Refusal) bool {
			return x.Slug == "layer-size"
		})
}
