package plan

import (
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/owner"
	"dropcap/internal/policy"
	"dropcap/internal/verdict"
)

// step returns the step of one container.
func (in Input) step(s Subject, w *policy.Waivers) dropcap.Step {
	c := s.Container
	out := dropcap.Step{
		Container: dropcap.Target{ID: c.ID, Name: c.Name, Fingerprint: s.Fingerprint},
		Workload:  c.Workload, Owner: c.Owner,
		Retained: []dropcap.Retain{}, Warnings: []string{}, Before: grant(c.Declared, 0),
	}
	out.After = out.Before
	if c.Predicted == nil {
		out.Strategy = dropcap.StrategyManual
		return refuse(out, unknown(c))
	}
	out.Before.Holds, out.After.Holds = *c.Predicted, *c.Predicted
	d := newDecider(in, s, w)
	out.Confidence = d.confidence()
	if c.Declared.Privileged {
		if why := accepted(w.Match(c, dropcap.Finding{Rule: dropcap.RulePrivileged,
			Caps: *c.Predicted})); why != "" {
			out.Warnings = append(out.Warnings, "it is privileged, which is "+why)
			return in.unchanged(out, d.all(why))
		}
	}
	choice := d.decide()
	if choice.drop.Empty() && !c.Declared.Privileged {
		out.Warnings = append(out.Warnings, undecided(choice.retained)...)
		return in.unchanged(out, choice.retained)
	}
	after, err := declare(in.Host, c, in.Policy.Level, choice.drop)
	if err != nil {
		out.Strategy = dropcap.StrategyManual
		return refuse(out, Refusal{Slug: "arithmetic",
			Message: "cannot find a declaration for it: " + err.Error(),
			Hint:    "change its settings by hand"})
	}
	out.After, out.Drop, out.Retained = after, choice.drop, choice.retained
	return in.change(out, s, d)
}

// change says how to do a step that changes something, and what prevents it.
func (in Input) change(out dropcap.Step, s Subject, d decider) dropcap.Step {
	var source Source
	if s.Source != nil {
		source = s.Source(out.After)
	}
	if source.Away == "" && in.inLayer[s.Container.Workload] {
		source.Away = "its owner would lose what was written into a container's own layer"
	}
	if source.Away == "" {
		source.Away = in.apart(s)
	}
	if source.Away == "" && in.Options.NoFiles && owner.Of(out.Owner.Kind).EditsFiles() {
		source.Away = "over a fleet no file is edited"
	}
	if in.provider != nil && source.Away == "" {
		source.Away = "it is re-created together with " + plain(in.provider.name) +
			", with which it hangs together"
		source.Follows = in.provider.follows
	}
	out.Strategy = in.strategy(s.Container, source)
	out.Promise, out.Downtime = promise(out, s), downtime(out.Strategy, s)
	out.Commands.Source = source.Text
	against, doubts := d.alsoDoubted(in.against(out, s, source)), d.doubts(out)
	if s.Command != nil && len(s.Dependants) == 0 && sayable(out, against, doubts) {
		out.Commands = byHandCommands(out.Commands, s, out.After)
	}
	out.Warnings = append(append(out.Warnings, in.warnings(out, s, d)...), away(out, source)...)
	if out.Strategy == dropcap.StrategyRecreate && s.Layer != nil {
		out.Layer = s.Layer()
	}
	return refuse(out, append(doubts, against...)...)
}

// against returns the reasons against the step's strategy.
func (in Input) against(out dropcap.Step, s Subject, source Source) (list []Refusal) {
	asked := func(st dropcap.Strategy) []Refusal {
		if s.Against == nil {
			return nil
		}
		return s.Against(st)
	}
	switch out.Strategy {
	case dropcap.StrategyManual:
		list = append(list, byHand(s.Container, in.Options))
		if owner.Of(out.Owner.Kind).Unowned { // a person re-creates it
			list = append(list, slices.DeleteFunc(asked(dropcap.StrategyRecreate),
				func(r Refusal) bool {
					return r.Slug == "podman"
				})...)
		}
	case dropcap.StrategySource:
		if in.Options.NoFiles && owner.Of(out.Owner.Kind).EditsFiles() {
			list = append(list, Refusal{"owner-file", "cannot edit its owner's file over a fleet",
				"plan it without --strategy source; or write it there by hand as shown, or apply it " +
					"on the host itself"})
		}
		list = append(list, source.Against...)
		if s.Source == nil {
			list = append(list, Refusal{"source", "cannot tell how its source says it",
				"change the source by hand; or --strategy recreate changes the container itself"})
		}
		list = append(list, in.atSource(s, asked(out.Strategy))...)
	default:
		list = asked(out.Strategy)
		if out.Strategy == dropcap.StrategyRecreate {
			list = append(list, in.againstDependants(s)...)
		}
		if out.Strategy == dropcap.StrategyInPlace && out.Before.Privileged {
			list = append(list,
				Refusal{"in-place-privileged", "cannot take more than capabilities away in place",
					"use --strategy recreate"})
		}
	}
	return list
}

// sayable reports whether to show the command that re-creates the container: a command must not do
// what dropcap refuses. `docker stop` removes a container started with --rm, and one whose needs
// are unknown must not be tried. A manual step is no reason to hide it.
func sayable(out dropcap.Step, against, doubts []Refusal) bool {
	if out.Strategy == dropcap.StrategyManual && owner.Of(out.Owner.Kind).Unowned {
		against = against[1:]
	} else if out.Strategy != dropcap.StrategyRecreate {
		return false
	}
	return len(against) == 0 && len(doubts) == 0
}

// unchanged returns a step that changes nothing.
func (in Input) unchanged(out dropcap.Step, retained []dropcap.Retain) dropcap.Step {
	out.Strategy, out.Retained = in.strategy(dropcap.Container{Owner: out.Owner}, Source{}),
		retained
	return out
}

// warnings returns what an operator should know before agreeing.
func (in Input) warnings(out dropcap.Step, s Subject, d decider) []string {
	var list []string
	if in.Policy.Level == dropcap.LevelCIS && out.Drop.Has(caps.NetRaw) && !out.Before.Privileged {
		list = append(list, d.unsure(out.Strategy)...)
	}
	broad := in.Policy.Level == dropcap.LevelLeast || out.Before.Privileged
	switch {
	case broad && d.known():
		list = append(list, d.firstUnseen()...)
	case broad && in.Options.AcceptLow:
		list = append(list, "what it needs is not known well, and that was accepted with "+
			"--accept low")
	}
	if d.support != nil && !d.support.Exact {
		list = append(list, d.support.Because)
	}
	list = append(list, d.unshown(out.Drop)...)
	list = append(list, undecided(out.Retained)...)
	if out.Before.Privileged {
		for _, g := range s.Goes {
			list = append(list, "it also loses "+g)
		}
	}
	if held := s.Container.Kernel.Holds(); held != nil && !held.Minus(out.Before.Holds).Empty() {
		list = append(list, "its processes hold more than it declares now: "+
			held.Minus(out.Before.Holds).Short())
	}
	list = append(list, in.strategyWarnings(out, s)...)
	if out.Commands.Apply != "" {
		for _, u := range s.Unsaid {
			list = append(list, "the command by hand does not say: "+u)
		}
	}
	return list
}

// unshown says what the trial that the confidence rests on cannot show of what is dropped.
func (d decider) unshown(drop caps.Set) (list []string) {
	if d.confidence() != dropcap.ConfidenceTried {
		return nil
	}
	sets := map[string]caps.Set{}
	var order []string
	for _, u := range verdict.Unshown(drop, d.held) {
		if sets[u.Because] == 0 {
			order = append(order, u.Because)
		}
		sets[u.Because] |= caps.Of(u.Cap)
	}
	for _, because := range order {
		list = append(list, fmt.Sprintf("no trial shows this of %s: %s", spaced(sets[because]),
			because))
	}
	return list
}

// unsure warns if NET_RAW is dropped because of the control alone, without evidence.
func (d decider) unsure(strategy dropcap.Strategy) []string {
	why := "there is no evidence of what it needs"
	switch {
	case d.support != nil && d.sure() && d.support.Unused.Has(caps.NetRaw):
		return nil
	case d.support != nil:
		why = "whether it needs NET_RAW is not sure (" + d.support.Because + ")"
	}
	why += ": NET_RAW is dropped because the control says so"
	if strategy != dropcap.StrategyManual {
		why += ", and the gate watches"
	}
	return []string{why}
}

// undecided returns what stays although audit reports it, since it may be needed.
func undecided(list []dropcap.Retain) []string {
	sets := map[string]caps.Set{}
	var order []string
	for _, r := range list {
		if why, ok := strings.CutPrefix(r.Because, declared); ok {
			if sets[why] == 0 {
				order = append(order, why)
			}
			sets[why] |= caps.Of(r.Cap)
		}
	}
	for i, why := range order {
		order[i] = fmt.Sprintf("it keeps %s, which audit goes on reporting: %s", spaced(sets[why]),
			why)
	}
	return order
}

func spaced(s caps.Set) string { return strings.ReplaceAll(s.Short(), ",", ", ") }

// all retains every capability for one reason.
func (d decider) all(because string) []dropcap.Retain {
	list := []dropcap.Retain{}
	for _, c := range d.held.List() {
		list = append(list, dropcap.Retain{Cap: c, Because: because})
	}
	return list
}

func them(s caps.Set) string {
	if s.Len() == 1 {
		return "it"
	}
	return "them"
}
