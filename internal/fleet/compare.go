package fleet

import (
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/policy"
)

// worse tells in what a host is worse after a change than before; empty if in nothing. Containers are known by workload and name, since a change
// gives them other ids. A finding that counts now and did not before, and a container that ran and does not, are worse; a container that was
// unknown before may be unknown still.
func worse(before, after dropcap.Audit) string {
	known := policy.Known(before)
	var what []string
	for _, c := range after.Containers {
		for _, f := range c.Findings {
			if c.Retained == "" && f.Counts() && !known(policy.Identity(c.Container), f) {
				what = append(what, fmt.Sprintf("a new finding: %s: %s", oneLine(c.Name), oneLine(string(f.Rule))))
			}
		}
	}
	running := map[string]bool{}
	for _, c := range after.Containers {
		if c.Running() {
			running[c.Name] = true
		}
	}
	for _, c := range before.Containers {
		if c.Running() && !running[c.Name] {
			what = append(what, oneLine(c.Name)+" does not run any more")
		}
	}
	slices.Sort(what)
	what = slices.Compact(what)
	if len(what) > 3 {
		what = append(what[:3], fmt.Sprintf("and %d more", len(what)-3))
	}
	return strings.Join(what, "; ")
}
