package render

import (
	"fmt"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// Words that several formats share.

// namesShown is how many capabilities a table's cell lists before it counts the rest.
const namesShown = 3

// holds summarises what a container may do, relative to the host's defaults: "14 default", "14
// default +NET_ADMIN", "13 default -NET_RAW", "ALL (41)", "none", "5: CHOWN,KILL,SETGID,…",
// "unknown", and what else there is: "none (14 given up)". With full it lists all names.
func holds(c dropcap.Container, h dropcap.Host, full bool) string {
	s := heldBy(c, h, full)
	if note := asides(c); note != "" {
		s += " (" + note + ")"
	}
	return s
}

// asides counts what a container does not hold but gets back, and what is held in user namespaces
// within its own.
func asides(c dropcap.Container) string {
	var parts []string
	if gone := c.GaveUp(); !gone.Empty() {
		parts = append(parts, fmt.Sprintf("%d given up", gone.Len()))
	}
	if n := c.Kernel.Nested; n != nil {
		parts = append(parts, fmt.Sprintf("%d nested", n.Len()))
	}
	return strings.Join(parts, ", ")
}

func heldBy(c dropcap.Container, h dropcap.Host, full bool) string {
	set := c.Holds()
	switch {
	case set == nil:
		return "unknown"
	case set.Empty():
		return "none"
	case h.Grantable != nil && *set == *h.Grantable && (h.Defaults == nil || *set != *h.Defaults):
		return fmt.Sprintf("ALL (%d)", set.Len())
	case h.Defaults != nil && nearDefaults(*set, *h.Defaults):
		return againstDefaults(*set, *h.Defaults, full)
	default:
		return fmt.Sprintf("%d: %s", set.Len(), list(*set, full))
	}
}

// nearDefaults reports whether a set is better described by its difference from the defaults than
// by its members.
func nearDefaults(set, defaults caps.Set) bool {
	missing := defaults.Minus(set)
	return !defaults.Empty() && missing.Len() <= namesShown && missing.Len() < defaults.Len()
}

func againstDefaults(set, defaults caps.Set, full bool) string {
	s := fmt.Sprintf("%d default", (set & defaults).Len())
	if added := set.Minus(defaults); !added.Empty() {
		s += " +" + list(added, full)
	}
	if missing := defaults.Minus(set); !missing.Empty() {
		s += " -" + list(missing, full)
	}
	return s
}

func list(set caps.Set, full bool) string {
	members := set.List()
	if full || len(members) <= namesShown {
		return set.Short()
	}
	return caps.Of(members[:namesShown]...).Short() + ",…"
}

// why names the rules that a container breaks, with the capabilities if the rule does not name
// them; empty for one that passes. The sentences are below the table.
func why(c dropcap.Judged) string {
	f, ok := first(c.Findings)
	if !ok {
		return ""
	}
	s := string(f.Rule)
	switch {
	case f.Waiver != nil:
		s = waived(*f.Waiver)
	case f.Retained != "":
		s = accepted(f)
	case f.Rule == dropcap.RuleUnseen:
		s += ": " + whyUnseen(c.Container)
	case f.Rule != dropcap.RuleNetRaw && f.Rule != dropcap.RulePrivileged && !f.Caps.Empty():
		s += ": " + list(f.Caps, false)
	}
	if more := len(c.Findings) - 1; more > 0 {
		s += fmt.Sprintf(" (+%d)", more)
	}
	return s
}

// whyUnseen returns what keeps a container from being judged: its processes were not seen, or what
// it is granted is unknown.
func whyUnseen(c dropcap.Container) string {
	if c.Kernel.Visible || !c.Running() && c.WhyNot != "" {
		return c.WhyNot
	}
	return c.Kernel.WhyNot
}

// first returns the finding that a person should read first: one that counts, rather one that no
// hold mitigates, else any.
func first(list []dropcap.Finding) (dropcap.Finding, bool) {
	for _, open := range []bool{true, false} {
		for _, f := range list {
			if f.Counts() && f.Mitigated() != open {
				return f, true
			}
		}
	}
	if len(list) > 0 {
		return list[0], true
	}
	return dropcap.Finding{}, false
}

// waived says who accepts a finding, until when and why.
func waived(w dropcap.Waiver) string {
	s := "waived"
	if day := w.LastDay(); day != "" {
		s += " until " + day
	}
	if w.Owner != "" {
		s += " by " + w.Owner
	}
	if w.Reason != "" {
		s += ": " + w.Reason
	}
	return s
}

// accepted says why a finding does not count; empty if it does.
func accepted(f dropcap.Finding) string {
	switch {
	case f.Waiver != nil:
		return waived(*f.Waiver)
	case f.Known:
		return "known: it stands in the baseline"
	case f.Retained != "":
		return "retained by change " + f.Retained + ", stopped; `dropcap prune` removes it"
	default:
		return ""
	}
}

// summary returns "9 containers: 3 pass, 5 fail, 1 unknown".
func summary(s dropcap.Summary) string {
	head := printable.Count(s.Containers, "container")
	var parts []string
	for _, v := range verdictCounts(s) {
		if v.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", v.n, v.verdict))
		}
	}
	if len(parts) == 0 {
		return head
	}
	return head + ": " + strings.Join(parts, ", ")
}

type verdictCount struct {
	verdict dropcap.Verdict
	n       int
}

func verdictCounts(s dropcap.Summary) []verdictCount {
	list := []verdictCount{{dropcap.Pass, s.Pass}, {dropcap.Fail, s.Fail}}
	if s.Mitigated > 0 { // most hosts have no hold
		list = append(list, verdictCount{dropcap.Mitigated, s.Mitigated})
	}
	return append(list, verdictCount{dropcap.Waived, s.Waived},
		verdictCount{dropcap.Unknown, s.Unknown})
}

// shortID returns docker's short form, 12 digits.
func shortID(id string, full bool) string {
	if full || len(id) <= 12 {
		return id
	}
	return id[:12]
}

// shortImage drops the end of the digest if an image has no better name.
func shortImage(image string, full bool) string {
	if hex, ok := strings.CutPrefix(image, "sha256:"); ok && !full {
		return shortID(hex, false)
	}
	return image
}

// worst returns the worst severity among the findings that count; empty if none does.
func worst(list []dropcap.Finding) caps.Severity {
	var s caps.Severity
	for _, f := range list {
		if f.Counts() {
			s = s.Worse(f.Severity)
		}
	}
	return s
}

// rules returns the slugs of a container's findings, each once; never nil.
func rules(c dropcap.Judged) []string {
	seen := map[dropcap.Rule]bool{}
	names := []string{}
	for _, f := range c.Findings {
		if !seen[f.Rule] {
			seen[f.Rule] = true
			names = append(names, string(f.Rule))
		}
	}
	return names
}

// names returns a set's members in docker's form; nil for an unknown set.
func names(s *caps.Set) []string {
	if s == nil {
		return nil
	}
	l := make([]string, 0, s.Len())
	for _, c := range s.List() {
		l = append(l, c.Short())
	}
	return l
}

// mask prints a set as the kernel does, and "-" for an unknown one.
func mask(s *caps.Set) string {
	if s == nil {
		return "-"
	}
	return s.Mask()
}

// benchmark names the control: "CIS Docker Benchmark 5.4 (1.6.0), 5.3 (1.2.0)", the newest first.
func benchmark(c dropcap.Control) string {
	var ids []string
	for i := len(c.IDs) - 1; i >= 0; i-- {
		ids = append(ids, c.IDs[i].ID+" ("+c.IDs[i].Version+")")
	}
	return c.Benchmark + " " + strings.Join(ids, ", ")
}
