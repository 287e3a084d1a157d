package fleet

import (
	"time"

	"dropcap"
)

// Prunable returns the runs that ended before a time and need nothing more: none that was stopped,
// or whose changes could be backed out, unless all; none that a process works on; and none that
// belongs to a run that stays, such as its backout or its gate's audits.
func Prunable(runs []dropcap.FleetRun, before time.Time, all bool,
	atWork map[string]bool) []dropcap.FleetRun {
	stays := map[string]bool{}
	for _, r := range runs {
		stays[r.ID] = !ended(r, before, all) || !all && open(r) || atWork[r.ID]
	}
	var list []dropcap.FleetRun
	for _, r := range runs {
		if !stays[r.ID] && (!stays[r.Of] || r.Verb == "apply") {
			// an apply has all that it needs of its plan
			list = append(list, r)
		}
	}
	return list
}

// ended reports whether a run ended before a time. If all, an unfinished run counts as ended when
// it began.
func ended(r dropcap.FleetRun, before time.Time, all bool) bool {
	text := r.Ended
	if !r.State.Over() {
		if !all {
			return false
		}
		text = r.Started
	}
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && at.Before(before)
}

// open reports whether a run can be resumed or backed out.
func open(r dropcap.FleetRun) bool {
	return r.State == dropcap.RunStopped || r.Verb == "apply" && r.State != dropcap.RunBackedOut
}
