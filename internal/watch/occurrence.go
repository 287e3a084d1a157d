package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/audit"
	"dropcap/internal/printable"
)

// mostName bounds names, in bytes: they come from labels of containers.
const mostName = 300

// of returns an occurrence that is about a container.
func of(c dropcap.Container, kind dropcap.OccurrenceKind) dropcap.Occurrence {
	return dropcap.Occurrence{Kind: kind, Container: c.ID, Name: printable.Cut(c.Name, mostName),
		Image: printable.Cut(c.Image, mostName), Workload: printable.Cut(c.Workload, mostName)}
}

// bounds says which bound a finding of a rule is beyond.
var bounds = map[dropcap.Rule]dropcap.Bound{
	dropcap.RulePrivileged: dropcap.BoundPolicy, dropcap.RuleNetRaw: dropcap.BoundPolicy,
	dropcap.RuleAdded: dropcap.BoundPolicy, dropcap.RuleUnneeded: dropcap.BoundEvidence,
	dropcap.RuleDrift: dropcap.BoundGranted,
}

// occurrences returns what a judged container is worth telling: that it holds too much, that a
// change of it was undone, that it cannot be judged.
func occurrences(c dropcap.Judged, j Judgement, how how) (list []dropcap.Occurrence) {
	if !c.Running() && (how != asStarted || c.Retained != "") {
		return nil // nothing runs with it
	}
	more := of(c.Container, dropcap.OccurrenceExceeds)
	var because []string
	add := func(bound dropcap.Bound, set caps.Set, severity caps.Severity, why string) {
		more.Caps |= set
		more.Severity = more.Severity.Worse(severity)
		because = append(because, why)
		if !slices.Contains(more.Beyond, bound) {
			more.Beyond = append(more.Beyond, bound)
		}
	}
	for _, f := range c.Findings {
		bound, beyond := bounds[f.Rule]
		switch {
		case f.Rule == dropcap.RuleUnseen && c.Verdict == dropcap.Unknown:
			list = append(list, plainly(c, dropcap.OccurrenceUnseen, f))
		case !f.Counts() || f.Mitigated():
		case f.Rule == dropcap.RuleReverted:
			o := plainly(c, dropcap.OccurrenceReverted, f)
			o.Change = audit.Undone(j.Changes, c.Container)
			list = append(list, o)
		case f.Rule == dropcap.RuleDrift && byExec(c.Container):
			o := plainly(c, dropcap.OccurrenceExec, f)
			o.Beyond = []dropcap.Bound{bound}
			list = append(list, o)
		case beyond:
			more.Rules = append(more.Rules, f.Rule)
			add(bound, f.Caps, f.Severity, f.Because)
		}
	}
	if x, ok := j.BeyondFile[c.ID]; ok && !x.Caps.Empty() {
		add(dropcap.BoundFile, x.Caps, x.Caps.Severity(), fmt.Sprintf("it is granted %s, which "+
			"%s does not declare", x.Caps.Short(), printable.Line(x.File)))
	}
	if len(because) > 0 {
		more.Because, more.Verdict, more.Fix = strings.Join(because, "; "), c.Verdict, fixOf(c)
		list = append(list, more)
	}
	return list
}

// plainly returns the occurrence of one finding.
func plainly(c dropcap.Judged, kind dropcap.OccurrenceKind, f dropcap.Finding) dropcap.Occurrence {
	o := of(c.Container, kind)
	o.Caps, o.Severity, o.Because, o.Fix = f.Caps, f.Severity, f.Because, f.Fix
	o.Verdict = c.Verdict
	if kind != dropcap.OccurrenceExec { // one that was asked about has none
		o.Rules = []dropcap.Rule{f.Rule}
	}
	return o
}

// byExec reports whether all that the container holds beyond what it is granted came by docker
// exec.
func byExec(c dropcap.Container) bool {
	if c.Predicted == nil {
		return false
	}
	found := false
	for _, p := range c.Kernel.Processes {
		held, err := p.Holds()
		if err != nil || held.Minus(*c.Predicted).Empty() || p.UserNS == dropcap.UserNSNested {
			continue
		}
		if p.Origin != dropcap.OriginExec && p.Origin != dropcap.OriginExecPrivileged {
			return false
		}
		found = true
	}
	return found
}

// fixOf returns what mends most of it.
func fixOf(c dropcap.Judged) string {
	if c.Fix != "" {
		return c.Fix
	}
	for _, f := range c.Findings {
		if _, ok := bounds[f.Rule]; ok && f.Counts() {
			return f.Fix
		}
	}
	if c.Owner.Service != "" {
		return "make it again from its file: docker compose up --detach " +
			printable.Shell(c.Owner.Service)
	}
	return ""
}

// waivers tells of the policy's waivers that expire soon, once a day, and of those that have.
func (t *teller) waivers(p dropcap.Policy, now time.Time) {
	for _, w := range p.Waivers {
		if w.Expires.IsZero() || w.Expires.Sub(now) > t.q.Soon {
			continue
		}
		o := dropcap.Occurrence{
			Kind: dropcap.OccurrenceWaiver, Severity: caps.Low, Caps: w.Caps,
			Rules:   []dropcap.Rule{dropcap.RuleWaiver},
			Expires: w.Expires.UTC().Format(time.RFC3339),
			Fix:     "drop the capability, or renew the waiver with a reason and a new date",
		}
		what := fmt.Sprintf("the waiver for %s at line %d (owner %s)", w.Caps.Short(), w.Line,
			printable.Cut(w.Owner, 80))
		day := now.UTC().Format(time.DateOnly)
		o.Because = fmt.Sprintf("%s expires after %s: what it accepts is a finding then", what,
			w.LastDay())
		if w.Expired(now) {
			o.Severity, day = caps.Medium, "expired"
			o.Because = fmt.Sprintf("%s has expired: what it accepted is a finding again", what)
		}
		k := fmt.Sprintf("%s\x00%d\x00%s", key(o), w.Line, day)
		t.present[k] = true
		if _, told := t.told[k]; told {
			continue
		}
		t.tell(o, k)
	}
}

// denied tells of a denial after a change.
func (t *teller) denied(d Denial) {
	o := of(d.Container, dropcap.OccurrenceDenied)
	o.Caps, o.Severity, o.Change, o.Because = caps.Of(d.Cap), caps.High, d.Change, d.Because
	by := d.By
	o.By = &by
	o.Fix = "dropcap backout " + printable.Shell(d.Container.Name) + " takes the change back; or " +
		"keep the capability by policy and apply again"
	t.tell(o, key(o)+"\x00"+by.Exe+"\x00"+by.Site)
}

// sentence returns an error as one clause.
func sentence(err error) string {
	return strings.TrimPrefix(printable.Line(dropcap.AsError(err).Message), "cannot go on: ")
}
