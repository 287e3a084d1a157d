package audit

import (
	"fmt"
	"slices"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// reverted finds a change that somebody has undone: the container's configuration grants again what
// its latest change dropped. Changes that were rolled back or backed out do not count, nor do
// changes before those.
func (x subject) reverted() *dropcap.Finding {
	if x.c.Retained != "" {
		return nil
	}
	ours := func(o dropcap.ChangedContainer) bool {
		// what was only made again with another one keeps what an earlier change has left it
		return o.Workload == x.c.Workload && o.Workload != "" && o.Was.Holds != o.Is.Holds
	}
	at := slices.IndexFunc(x.changes, func(c dropcap.Change) bool {
		return c.State.Over() && slices.ContainsFunc(c.Containers(), ours)
	})
	if at < 0 || x.changes[at].State != dropcap.Applied {
		return nil
	}
	change := x.changes[at]
	part := change.Containers()[slices.IndexFunc(change.Containers(), ours)]
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
