package fleet

import (
	"slices"

	"dropcap"
	"dropcap/internal/policy"
)

// Found is a finding with its container; "policy" if it has none.
type Found struct {
	Container string
	Finding   dropcap.Finding
}

// NewFindings returns the findings that count after and did not count before: of another rule, or
// of more capabilities, for the same policy.Identity. What did not count before, since it was
// waived, known or of a retained container, is new once it does.
func NewFindings(before, after dropcap.Audit) []Found {
	known := policy.Known(counting(before))
	var out []Found
	add := func(identity, name string, list []dropcap.Finding) {
		for _, f := range list {
			if f.Counts() && !known(identity, f) {
				out = append(out, Found{name, f})
			}
		}
	}
	for _, c := range after.Containers {
		add(policy.Identity(c.Container), c.Name, c.Findings)
	}
	add("", "policy", after.Findings)
	return out
}

// counting returns an audit with only the findings that count.
func counting(a dropcap.Audit) dropcap.Audit {
	only := func(list []dropcap.Finding) []dropcap.Finding {
		return slices.DeleteFunc(slices.Clone(list), func(f dropcap.Finding) bool {
			return !f.Counts()
		})
	}
	list := make([]dropcap.Judged, len(a.Containers))
	for i, c := range a.Containers {
		c.Findings = only(c.Findings)
		list[i] = c
	}
	a.Containers, a.Findings = list, only(a.Findings)
	return a
}

// NotRunning names the containers that ran before and do not now. A replaced container has the same
// policy.Identity; of several with one identity, as many must run as before.
func NotRunning(before, after dropcap.Audit) []string {
	return missing(before, after, dropcap.Container.Running)
}

// NotSeen names the running containers whose processes were observed before and are not now.
func NotSeen(before, after dropcap.Audit) []string {
	var out []string
	stopped := NotRunning(before, after)
	for _, name := range missing(before, after, func(c dropcap.Container) bool {
		return c.Running() && c.Kernel.Visible
	}) {
		if !slices.Contains(stopped, name) {
			out = append(out, name)
		}
	}
	return out
}

// missing names, for each identity with fewer matching containers than before, as many that do not
// match.
func missing(before, after dropcap.Audit, is func(dropcap.Container) bool) []string {
	now, names := map[string]int{}, map[string]map[string]bool{}
	for _, c := range after.Containers {
		if is(c.Container) {
			id := policy.Identity(c.Container)
			now[id]++
			if names[id] == nil {
				names[id] = map[string]bool{}
			}
			names[id][c.Name] = true
		}
	}
	var order []string
	was := map[string][]string{}
	for _, c := range before.Containers {
		if is(c.Container) {
			id := policy.Identity(c.Container)
			if was[id] == nil {
				order = append(order, id)
			}
			was[id] = append(was[id], c.Name)
		}
	}
	var out []string
	for _, id := range order {
		few := len(was[id]) - now[id]
		for _, name := range was[id] {
			if few > 0 && !names[id][name] {
				few--
				out = append(out, name)
			}
		}
		for range max(0, few) { // all that there were run under their names, but fewer than before
			out = append(out, was[id][0])
		}
	}
	return out
}
