// Package audit judges a snapshot by a policy. It is pure: documents in, a document out; it never
// asks an engine or a kernel.
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

// Options are what a judgement needs beside the snapshot.
type Options struct {
	Policy dropcap.Policy
	// Evidence is what workloads were seen to need: what it supports is needed, at either level.
	Evidence []dropcap.WorkloadEvidence
	// Changes are those of this host, the newest first: one that somebody has undone is a finding.
	Changes []dropcap.Change
	// Known tells whether a finding stands in the baseline, by the container's policy.Identity; nil
	// without one.
	Known func(identity string, f dropcap.Finding) bool
	// Partial is set when only some of the host's containers were looked at: then a waiver that
	// matches none of them is no finding.
	Partial bool
	Now     time.Time
}

// Judge gives each container its findings and verdict.
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
			// one that somebody started is a container like any other
			findings[i].Retained = c.Retained
		}
	}
	sort.SliceStable(findings, func(i, j int) bool {
		return findings[i].Severity.Rank() > findings[j].Severity.Rank()
	})
	return dropcap.Judged{Container: c, Verdict: verdict(c, findings), Findings: findings,
		Fix: x.mend(findings)}
}

// verdict sums up. Where nothing could be seen of what it holds it is unknown, whatever else was
// found. Where only what its configuration grants is not known, what was found is certain, and that
// there is no more is not.
func verdict(c dropcap.Container, findings []dropcap.Finding) dropcap.Verdict {
	if unseen(c) != "" {
		return dropcap.Unknown
	}
	accepted := false
	for _, f := range findings {
		if f.Counts() {
			return dropcap.Fail
		}
		accepted = true
	}
	switch {
	case unpredicted(c) != "":
		return dropcap.Unknown
	case accepted:
		return dropcap.Waived
	}
	return dropcap.Pass
}

// unseen says why the container cannot be judged; empty if it can.
func unseen(c dropcap.Container) string {
	switch {
	case c.Unread != "":
		return "the engine's description of it cannot be read: " + plain(c.Unread)
	case c.State == "" && !c.Kernel.Visible:
		// nobody knows whether it runs, so what is predicted for a start is no answer
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

// unpredicted says why it is not known what a container gets back of what its processes may have
// given up; empty if it is known.
func unpredicted(c dropcap.Container) string {
	if c.Predicted != nil {
		return ""
	}
	return cmp.Or(c.WhyNot, "the engine did not tell it")
}

// support finds what evidence says of a container, for what it holds or gets back.
func support(list []dropcap.WorkloadEvidence, c dropcap.Container,
	h dropcap.Host) (evidence.Support, bool) {
	held := c.Holds()
	if held == nil || len(list) == 0 {
		return evidence.Support{}, false
	}
	return evidence.For(list, evidence.Subject{Workload: c.Workload, Revision: c.Revision,
		Host: h.ID, Held: *held | c.GaveUp()})
}
