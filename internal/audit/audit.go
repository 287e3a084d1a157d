// Package audit judges a snapshot by a policy. It is pure: it maps documents to a document, and
// never asks an engine or a kernel.
package audit

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/policy"
)

// Options are the inputs of Judge besides the snapshot.
type Options struct {
	Policy dropcap.Policy
	// Evidence is what workloads were observed to need. What it supports counts as needed at either
	// level.
	Evidence []dropcap.WorkloadEvidence
	// Changes are this host's changes, newest first. One that somebody has undone is a finding.
	Changes []dropcap.Change
	// Known reports whether the baseline has a finding, by the container's policy.Identity; nil
	// without a baseline.
	Known func(identity string, f dropcap.Finding) bool
	// Partial is set if the snapshot has only some of the host's containers. A waiver that matches
	// none of them is then no finding.
	Partial bool
	Now     time.Time
}

// Judge returns the snapshot with the findings and verdict of each container.
func Judge(s dropcap.Snapshot, o Options) dropcap.Audit {
	if o.Policy.Level == "" {
		o.Policy.Level = dropcap.LevelCIS
	}
	a := dropcap.Audit{
		Schema: dropcap.SchemaAudit, Created: s.Created, Host: s.Host, Control: dropcap.CIS(),
		Policy:     dropcap.PolicyRef{Level: o.Policy.Level, Digest: o.Policy.Digest},
		Containers: make([]dropcap.Judged, 0, len(s.Containers)), Missing: s.Missing,
	}
	w := policy.NewWaivers(o.Policy.Waivers, o.Now)
	for _, c := range s.Containers {
		a.Containers = append(a.Containers, judge(c, s.Host, o, w))
	}
	a.Findings = stale(w, s.Containers, o.Partial || slices.ContainsFunc(s.Containers,
		func(c dropcap.Container) bool {
			return c.Unread != ""
		}))
	for i := range a.Findings {
		a.Findings[i].Known = o.Known != nil && o.Known("", a.Findings[i])
	}
	a.Summary = dropcap.Count(a.Containers)
	return a
}

func judge(c dropcap.Container, h dropcap.Host, o Options, w *policy.Waivers) dropcap.Judged {
	kept, _ := policy.Kept(o.Policy, c)
	x := subject{c: c, host: h, level: o.Policy.Level, kept: kept, waivers: w, changes: o.Changes}
	if s, ok := support(o.Evidence, c, h); ok {
		x.kept |= s.Supported
		x.support = &s
	}
	findings := x.findings()
	for i := range findings {
		findings[i].Known = o.Known != nil && o.Known(policy.Identity(c), findings[i])
		if !c.Running() && findings[i].Rule != dropcap.RuleUnseen {
			// once started, it is a container like any other
			findings[i].Retained = c.Retained
		}
	}
	sort.SliceStable(findings, func(i, j int) bool {
		return findings[i].Severity.Rank() > findings[j].Severity.Rank()
	})
	return dropcap.Judged{Container: c, Verdict: verdict(c, findings), Findings: findings,
		Fix: x.commonFix(findings)}
}

// verdict returns the verdict of the container. If what it holds could not be observed, that is
// unknown, whatever else was found. If only what its configuration grants is unknown, findings are
// certain, but their absence is not.
func verdict(c dropcap.Container, findings []dropcap.Finding) dropcap.Verdict {
	if whyUnseen(c) != "" {
		return dropcap.Unknown
	}
	accepted, mitigated := false, false
	for _, f := range findings {
		switch {
		case f.Mitigated():
			mitigated = true
		case f.Counts():
			return dropcap.Fail
		default:
			accepted = true
		}
	}
	switch {
	case whyUnpredicted(c) != "":
		return dropcap.Unknown
	case mitigated:
		return dropcap.Mitigated
	case accepted:
		return dropcap.Waived
	}
	return dropcap.Pass
}

// whyUnseen says why the container cannot be judged; empty if it can.
func whyUnseen(c dropcap.Container) string {
	switch {
	case c.Unread != "":
		return "the engine's description of it cannot be read: " + plain(c.Unread)
	case c.State == "" && !c.Kernel.Visible:
		// it is unknown whether it runs, so the set predicted for a start decides nothing
		return cmp.Or(c.Kernel.WhyNot, "whether it runs is not known")
	case c.Running() && !c.Kernel.Visible && c.Kernel.WhyNot == "":
		return "its processes were not looked at"
	case c.Running() && !c.Kernel.Visible:
		return c.Kernel.WhyNot
	case c.Running() && c.Kernel.Holds() == nil:
		return "no process was seen"
	case !c.Running() && c.Predicted == nil:
		return cmp.Or(c.WhyNot, "what it will be granted is not known")
	default:
		return ""
	}
}

// whyUnpredicted says why it is unknown which capabilities the container can regain after its
// processes gave them up; empty if it is known.
func whyUnpredicted(c dropcap.Container) string {
	if c.Predicted != nil {
		return ""
	}
	return cmp.Or(c.WhyNot, "the engine did not tell it")
}

// support returns what evidence says about the capabilities that the container holds or can regain.
func support(list []dropcap.WorkloadEvidence, c dropcap.Container,
	h dropcap.Host) (evidence.Support, bool) {
	held := c.Holds()
	if held == nil || len(list) == 0 {
		return evidence.Support{}, false
	}
	return evidence.For(list, evidence.Subject{Workload: c.Workload, Revision: c.Revision,
		Host: h.ID, Held: *held | c.GaveUp()})
}
