package plan

import (
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
)

// Refusal is why something will not be done, and the remedy.
type Refusal struct {
	Slug, Message, Hint string
}

// accepts are the flags by which an operator accepts what a refusal warns of.
var accepts = map[string]string{
	noEvidence: "--accept low", lowConfidence: "--accept low", untried: "--accept low",
	"layer": "--discard-layer", "privileged": "--deprivilege",
}

// The refusals that depend on what is known about a container's needs.
const (
	noEvidence    = "no-evidence"
	lowConfidence = "low-confidence"
	untried       = "untried"
)

// accept is the flag by which an operator accepts it; empty if there is none.
func (r Refusal) accept() string {
	if _, said, ok := strings.Cut(r.Hint, "--carry-limit "); ok && r.Slug == "layer-size" {
		size, _, _ := strings.Cut(said, ";") // the hint has the size of this very layer
		return "--carry-limit " + size
	}
	return accepts[r.Slug]
}

// refuse records all reasons against a step, so that the operator need not fix them one by one.
func refuse(out dropcap.Step, list ...Refusal) dropcap.Step {
	var messages, hints []string
	for _, r := range list {
		message, hint := strings.TrimSuffix(r.Message, "."), strings.TrimSuffix(r.Hint, ".")
		out.Refusals = append(out.Refusals, dropcap.Refusal{Slug: r.Slug, Message: message,
			Hint: hint})
		messages = append(messages, message)
		if hint != "" && !contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	if flags := acceptedBy(list); flags != "" {
		hints = append(hints, "all at once: "+flags)
	}
	out.Refused, out.Hint = strings.Join(messages, "; "), strings.Join(hints, "; ")
	return out
}

// acceptedBy returns the flags that together accept all reasons against a step, if there are
// several such flags.
func acceptedBy(list []Refusal) string {
	var flags []string
	for _, r := range list {
		flag := r.accept()
		if flag == "" {
			return ""
		}
		if !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	if len(flags) < 2 {
		return ""
	}
	return strings.Join(flags, " ")
}

// unknown refuses to plan what cannot be predicted.
func unknown(c dropcap.Container) Refusal {
	if c.Unread != "" {
		return Refusal{Slug: "unreadable", Message: "cannot read the engine's description of it: " +
			c.Unread, Hint: "see what `docker inspect` says of it"}
	}
	return Refusal{Slug: "unknown", Message: "cannot tell what it is granted: " + c.WhyNot,
		Hint: "`dropcap doctor` says what is missing"}
}

// doubts records reasons to refuse that depend on what is known about its needs. Level cis drops
// NET_RAW even without evidence: that is the control's own default.
func (d decider) doubts(out dropcap.Step) []Refusal {
	broad := d.in.Policy.Level == dropcap.LevelLeast ||
		out.Before.Privileged && out.Strategy != dropcap.StrategyManual
	if d.in.Options.AcceptLow || !broad {
		return nil
	}
	hint := d.learn() + "; or take the risk with --accept low"
	switch {
	case d.support == nil:
		return []Refusal{{noEvidence, "cannot tell what it needs: there is no evidence", hint}}
	case !d.known():
		return []Refusal{{lowConfidence, fmt.Sprintf("cannot rely on what is known of its needs: "+
			"%s (%s)", d.support.Gaps(), d.support.Because), hint}}
	}
	if u := d.support.Untried & out.Drop; !u.Empty() && !out.Before.Privileged {
		return []Refusal{{untried, fmt.Sprintf("cannot tell whether it needs %s: it did not hold "+
			"%s when its needs were recorded", u.Short(), them(u)), hint}}
	}
	return nil
}

// alsoDoubted adds the next refusal to the hint of a privileged container, whose needs matter only
// once it may be changed at all.
func (d decider) alsoDoubted(list []Refusal) []Refusal {
	for i, r := range list {
		least := d.in.Policy.Level == dropcap.LevelLeast // which asks for them by itself
		if r.Slug == "privileged" && !least && !d.known() && !d.in.Options.AcceptLow {
			list[i].Hint += fmt.Sprintf(
				"; its needs must be known then: %s; or take the risk with "+
					"--deprivilege --accept low", d.learn())
		}
	}
	return list
}

// known reports whether the evidence is enough to drop what it does not support. Medium confidence
// needs an observed first start, with fresh volumes. If the container keeps its volumes and layer,
// the change causes no such start: an observed later start is then enough.
func (d decider) known() bool {
	switch {
	case d.support == nil:
		return false
	case d.support.Level == dropcap.ConfidenceTried:
		return !d.support.Gaps().First || !d.afresh()
	case d.support.Level != dropcap.ConfidenceLow:
		return true
	}
	return d.support.Gaps().FirstOnly() && !d.afresh()
}

// afresh reports whether a change starts the container with new volumes or a new layer. A swarm
// creates new anonymous volumes for each task.
func (d decider) afresh() bool { return d.s.FreshLayer || madeAgain(d.c) }

// madeAgain reports whether the owner re-creates a container where others are restarted.
func madeAgain(c dropcap.Container) bool {
	return owner.Of(c.Owner.Kind).Source == owner.SourceSwarm
}

// firstUnseen warns if a later start was observed instead of the first.
func (d decider) firstUnseen() []string {
	if !d.support.Gaps().First {
		return nil
	}
	return []string{"its first start was not seen, only a later one: as it keeps its volumes " +
		"this change starts it as it was seen to start, but with fresh volumes it may need more"}
}

// learn returns the command that records what is missing, and what that stops.
func (d decider) learn() string {
	gaps := evidence.Gaps{Start: true, Time: true}
	if d.support != nil && !d.known() {
		gaps = d.support.Gaps()
	}
	line, span := "dropcap learn "+printable.Shell(d.c.Name), " --for 1m"
	if gaps.Time || gaps.Revision {
		span = " --for 10m"
	}
	tasks, kind := madeAgain(d.c), owner.Of(d.c.Owner.Kind)
	switch {
	case gaps.FirstOnly() && d.s.FreshLayer:
		return "leave --discard-layer out, so that it starts as it was seen to start"
	case !gaps.Start && !gaps.Revision && !(gaps.First && tasks):
		return fmt.Sprintf("`%s%s` records that and stops nothing", line, span)
	case tasks:
		return fmt.Sprintf("`dropcap learn%s` records that, with `%s` meanwhile, which makes its "+
			"tasks again", span, owner.Restart(d.c))
	case kind.Manager != "":
		return fmt.Sprintf("`%s%s` records that, if %s starts it again meanwhile", line, span,
			kind.Manager)
	}
	return fmt.Sprintf("`%s --restart%s` records that (%s)", line, span, d.stops())
}

// stops says what a restart of the container stops, and for how long.
func (d decider) stops() string {
	if !d.c.Running() {
		return "it starts " + plain(d.c.Name)
	}
	down, _ := pause(d.s.Inspect)
	return fmt.Sprintf("it restarts %s: down for %s", plain(d.c.Name), down)
}
