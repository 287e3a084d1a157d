package metrics

import (
	"dropcap"
	"dropcap/caps"
)

// The states of a finding.
const (
	findingOpen      = "open"
	findingMitigated = "mitigated"
	findingWaived    = "waived"
	findingKnown     = "known"
	findingRetained  = "retained"
	findingUnseen    = "unseen"
)

func stateOf(f dropcap.Finding) string {
	switch {
	case f.Waiver != nil:
		return findingWaived
	case f.Known:
		return findingKnown
	case f.Retained != "":
		return findingRetained
	case f.Mitigated():
		return findingMitigated
	case !f.Counts():
		return findingUnseen
	}
	return findingOpen
}

// auditFamilies describe the latest look at all containers.
func auditFamilies(s State) []*family {
	a := s.Audit
	if a == nil {
		return nil
	}
	looked := newFamily("dropcap_last_look_timestamp_seconds", gauge,
		"When all containers were last looked at, in seconds since 1970.")
	looked.addTime(at(a.Created))
	took := newFamily("dropcap_last_look_duration_seconds", gauge,
		"How long the last look at all containers took.")
	took.add(s.Took.Seconds())
	containers := newFamily("dropcap_containers", gauge,
		"Containers by verdict, and the level that they were judged at.")
	count := dropcap.Count(a.Containers)
	for _, v := range []struct {
		verdict dropcap.Verdict
		n       int
	}{
		{dropcap.Pass, count.Pass}, {dropcap.Fail, count.Fail},
		{dropcap.Mitigated, count.Mitigated}, {dropcap.Waived, count.Waived},
		{dropcap.Unknown, count.Unknown},
	} {
		containers.add(float64(v.n), "verdict", string(v.verdict), "level", string(a.Policy.Level))
	}
	return []*family{looked, took, containers, findingFamily(a), capabilityFamily(a)}
}

func findingFamily(a *dropcap.Audit) *family {
	f := newFamily("dropcap_findings", gauge, "Findings by rule and state.")
	type key struct{ rule, state string }
	counts := map[key]int{}
	for _, r := range dropcap.Rules() {
		counts[key{string(r), findingOpen}] = 0
	}
	count := func(list []dropcap.Finding) {
		for _, x := range list {
			counts[key{string(x.Rule), stateOf(x)}]++
		}
	}
	count(a.Findings)
	for _, c := range a.Containers {
		count(c.Findings)
	}
	for k, n := range counts {
		f.add(float64(n), "rule", k.rule, "state", k.state)
	}
	return f
}

// capabilityFamily counts the running containers that hold each capability.
func capabilityFamily(a *dropcap.Audit) *family {
	f := newFamily("dropcap_capability_containers", gauge,
		"Running containers that hold a capability or can regain it.")
	counts := map[caps.Cap]int{}
	for _, c := range a.Containers {
		if !c.Running() {
			continue
		}
		held, _ := holds(c.Container)
		for _, one := range held.List() {
			counts[one]++
		}
	}
	for one, n := range counts {
		f.add(float64(n), "capability", one.String())
	}
	return f
}

// holds returns what a container holds or can regain; false if that is not known.
func holds(c dropcap.Container) (caps.Set, bool) {
	held := c.Holds()
	if held == nil {
		return 0, false
	}
	return *held | c.GaveUp(), true
}
