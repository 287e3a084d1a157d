package plan

import (
	"fmt"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/policy"
)

// decider decides about one container.
type decider struct {
	in      Input
	s       Subject
	c       dropcap.Container // the subject's
	held    caps.Set          // what the engine grants for its configuration
	keeps   []dropcap.Keep
	waivers *policy.Waivers
	support *evidence.Support // nil without evidence
}

// decision is which capabilities to drop, and which to keep and why.
type decision struct {
	drop     caps.Set
	retained []dropcap.Retain
}

func newDecider(in Input, s Subject, w *policy.Waivers) decider {
	c := s.Container
	d := decider{in: in, s: s, c: c, held: *c.Predicted, waivers: w}
	_, d.keeps = policy.Kept(in.Policy, c)
	subject := evidence.Subject{Workload: c.Workload, Revision: c.Revision, Host: in.Host.ID,
		Held: d.held}
	if s, ok := evidence.For(in.Evidence, subject); ok {
		d.support = &s
	}
	return d
}

func (d decider) confidence() string {
	if d.support == nil {
		return ""
	}
	return d.support.Level
}

// sure reports whether evidence alone is enough to drop what it calls unused.
func (d decider) sure() bool {
	return d.support != nil && (d.in.Options.AcceptLow || d.known())
}

// decide decides about each capability that the container holds.
func (d decider) decide() decision {
	var out decision
	for _, c := range d.held.List() {
		if why := d.keep(c); why != "" {
			out.retained = append(out.retained, dropcap.Retain{Cap: c, Because: why})
		} else {
			out.drop |= caps.Of(c)
		}
	}
	return out
}

// keep says why the capability is kept; empty if it is dropped.
func (d decider) keep(c caps.Cap) string {
	for _, k := range d.keeps {
		if k.Caps.Has(c) {
			return "policy: " + k.Reason
		}
	}
	if why := d.needed(c); why != "" {
		return why
	}
	if d.in.Policy.Level == dropcap.LevelLeast {
		return d.waived(dropcap.RuleUnneeded, c)
	}
	return d.keepCIS(c)
}

// declared begins the reason for a capability that the container's settings ask for.
const declared = "declared: "

// keepCIS decides at level cis: the defaults except NET_RAW stay; what was added by name, or is
// beyond the defaults, stays until evidence shows that it is not needed.
func (d decider) keepCIS(c caps.Cap) string {
	isDefault := d.in.Host.Defaults != nil && d.in.Host.Defaults.Has(c) &&
		caps.DockerDefaults.Has(c)
	if isDefault && c != caps.NetRaw {
		return "default: level cis allows it"
	}
	rule := dropcap.RuleAdded
	if c == caps.NetRaw {
		rule = dropcap.RuleNetRaw
	}
	if why := d.waived(rule, c); why != "" {
		return why
	}
	asked := c != caps.NetRaw || caps.Listed(d.c.Declared.Add, c)
	switch {
	case !asked, d.c.Declared.Privileged:
		return ""
	case d.support == nil:
		return declared + "there is no evidence that it is not needed"
	case !d.support.Unused.Has(c):
		return declared + "it was not held when needs were recorded"
	case !d.sure():
		return declared + "evidence of low confidence is not enough to drop it"
	}
	return ""
}

// needed says which evidence shows that the capability is needed; empty if none does.
func (d decider) needed(c caps.Cap) string {
	if d.support == nil || !d.support.Supported.Has(c) {
		return ""
	}
	for _, n := range d.support.Evidence.Needs {
		if n.Cap == c && n.Used() && n.Class.Keeps() {
			why := fmt.Sprintf("evidence: %s, seen %s%s%s: %s", n.Class, underTrial(n),
				times(n.Count), by(n), n.Because)
			if d.support.Evidence.TryWithout.Has(c) && n.TryWithout {
				why += "; try without: " + n.TryBecause
			}
			return why
		}
	}
	return "evidence: one of several that would do"
}

func underTrial(n dropcap.Need) string {
	if n.Trial {
		return "under trial "
	}
	return ""
}

// by names the program that caused most of the checks, and the system call.
func by(n dropcap.Need) string {
	if len(n.By) == 0 {
		return ""
	}
	most := n.By[0]
	for _, b := range n.By {
		if b.Count > most.Count {
			most = b
		}
	}
	switch {
	case most.Exe == "":
		return " at " + most.Syscall
	case most.Syscall == "":
		return " by " + most.Exe
	}
	return " by " + most.Exe + " at " + most.Syscall
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// waived says who accepts that the container holds the capability; empty if nobody does. What is
// accepted does not change, at any level.
func (d decider) waived(rule dropcap.Rule, c caps.Cap) string {
	return accepted(d.waivers.Match(d.c, dropcap.Finding{Rule: rule, Caps: caps.Of(c)}))
}

func accepted(list []dropcap.Waiver) string {
	if len(list) == 0 {
		return ""
	}
	w := list[0]
	until := ""
	if day := w.LastDay(); day != "" {
		until = " until " + day
	}
	return fmt.Sprintf("waived%s by %s: %s", until, w.Owner, w.Reason)
}
