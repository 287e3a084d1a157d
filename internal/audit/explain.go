package audit

import (
	"fmt"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/policy"
)

// Explain says why a judged container holds each of its capabilities, the most dangerous first.
func Explain(j dropcap.Judged, a dropcap.Audit, o Options) dropcap.Explanation {
	e := dropcap.Explanation{Schema: dropcap.SchemaExplanation, Created: a.Created, Host: a.Host,
		Policy: a.Policy, Container: j, Holds: []dropcap.Held{}}
	held := j.Holds()
	if held == nil {
		return e
	}
	x := subject{c: j.Container, host: a.Host, level: a.Policy.Level}
	if s, ok := support(o.Evidence, j.Container, a.Host); ok {
		x.support = &s
	}
	_, keeps := policy.Kept(o.Policy, j.Container)
	for _, s := range []caps.Severity{caps.Critical, caps.High, caps.Medium, caps.Low} {
		for _, c := range (*held | j.GaveUp()).List() {
			switch {
			case c.Severity() != s:
			case held.Has(c):
				e.Holds = append(e.Holds, x.held(c, keeps))
			default:
				e.GaveUp = append(e.GaveUp, x.held(c, keeps))
			}
		}
	}
	return e
}

func (x subject) held(c caps.Cap, keeps []dropcap.Keep) dropcap.Held {
	h := dropcap.Held{Cap: c, Severity: c.Severity(), Because: x.because(c)}
	if e := x.c.Kernel.Effective; e != nil {
		h.Effective = e.Has(c)
	}
	for _, k := range keeps {
		if k.Caps.Has(c) {
			h.Kept = k.Reason
		}
	}
	if x.support != nil {
		h.Evidence = x.evidence(c)
	}
	return h
}

// evidence says what was observed of one capability.
func (x subject) evidence(c caps.Cap) string {
	switch {
	case x.support.Supported.Has(c):
		for _, n := range x.support.Evidence.Needs {
			if n.Cap == c && n.Used() && n.Class.Keeps() {
				return fmt.Sprintf("needed (%s, seen %d times): %s", n.Class, n.Count, n.Because)
			}
		}
		return "needed"
	case x.support.Unused.Has(c) && x.support.Tried != "":
		return fmt.Sprintf("not needed: %s (confidence %s)", x.support.Tried, x.support.Level)
	case x.support.Unused.Has(c):
		return fmt.Sprintf("not seen to be needed (confidence %s)", x.support.Level)
	default:
		return "nothing is known: it was not held when it was recorded"
	}
}

// because says briefly why the container holds a capability.
func (x subject) because(c caps.Cap) string {
	if x.c.Predicted != nil && !x.c.Predicted.Has(c) {
		if p, ok := x.holder(caps.Of(c)); ok {
			return fmt.Sprintf("held by process %d (%s, %s) only, not by the configuration",
				first(p.PIDs), plain(p.Comm), p.Origin)
		}
	}
	switch sourceOf(x.c.Declared, x.host.Defaults, c) {
	case sourcePrivileged:
		return "privileged"
	case sourceAdded:
		return "added by name"
	case sourceAll:
		return "added by ALL"
	case sourceDefault:
		return "a default that is not dropped"
	default:
		return "granted by the engine's configuration"
	}
}
