package audit

import (
	"fmt"
	"slices"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// Undone returns the id of the change that a finding of the rule reverted is about; empty if there
// is none.
func Undone(changes []dropcap.Change, c dropcap.Container) string {
	change, _, _ := applied(changes, c.Workload)
	return change.ID
}

// applied returns the latest change of a workload, and its part of it, if that is in force. The
// newest change is the first.
func applied(changes []dropcap.Change, workload string) (dropcap.Change,
	dropcap.ChangedContainer, bool) {
	ours := func(o dropcap.ChangedContainer) bool {
		// what was only made again with another one keeps what an earlier change has left it
		return o.Workload == workload && o.Workload != "" && o.Was.Holds != o.Is.Holds
	}
	for _, c := range changes {
		if i := slices.IndexFunc(c.Containers(), ours); i >= 0 && c.State.Over() {
			return c, c.Containers()[i], c.State == dropcap.Applied
		}
	}
	return dropcap.Change{}, dropcap.ChangedContainer{}, false
}

// reverted finds a change that somebody has undone: the container's configuration grants again what
// its latest change dropped. Changes that were rolled back or backed out do not count, nor do
// changes before those.
func (x subject) reverted() *dropcap.Finding {
	if x.c.Retained != "" {
		return nil
	}
	change, part, ok := applied(x.changes, x.c.Workload)
	if !ok {
		return nil
	}
	has, ok := x.configured()
	again := part.Was.Holds.Minus(part.Is.Holds) & has
	if !ok || again.Empty() {
		return nil
	}
	how := "somebody has made the container again without that"
	if slices.ContainsFunc(change.Containers(), func(o dropcap.ChangedContainer) bool {
		return o.After == x.c.ID
	}) {
		how = "somebody has changed its configuration since"
	}
	return &dropcap.Finding{
		Rule: dropcap.RuleReverted, Severity: again.Severity().Worse(caps.Medium), Caps: again,
		Because: fmt.Sprintf("change %s of %s dropped %s, and %s", change.ID, change.Started,
			again.Short(), how),
		Fix: "find out who made it again, and change it there; dropcap plan " +
			printable.Shell(x.c.Name) +
			" shows what to write, and dropcap apply " + printable.Shell(x.c.Name) +
			" does it here",
	}
}
