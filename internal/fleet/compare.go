package fleet

import (
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/printable"
)

// worse says how a host is worse after a change; empty if it is not: new findings, and containers
// that do not run any more, or can no longer be observed.
func worse(before, after dropcap.Audit) string {
	var what []string
	for _, f := range NewFindings(before, after) {
		what = append(what, fmt.Sprintf("a new finding: %s: %s", printable.Line(f.Container),
			printable.Line(string(f.Finding.Rule))))
	}
	for _, name := range NotRunning(before, after) {
		what = append(what, printable.Line(name)+" does not run any more")
	}
	for _, name := range NotSeen(before, after) {
		what = append(what, printable.Line(name)+" cannot be looked at any more")
	}
	slices.Sort(what)
	what = slices.Compact(what)
	if len(what) > 3 {
		what = append(what[:3], fmt.Sprintf("and %d more", len(what)-3))
	}
	return strings.Join(what, "; ")
}
