package e2e_test

import (
	"strings"
	"testing"

	"dropcap"
)

// A container that changed since the plan is left as it is on its host: that is no failure for
// anybody, and is still reported.
func TestWhatHostsLeaveAsItIsIsTold(t *testing.T) {
	t.Parallel()
	left := dropcap.Receipt{Status: dropcap.ExitIncomplete, Summary: "no changes",
		Messages: []string{
			"create-new         create db",
			"dropcap: warning: web is left as it is: it has been renamed\x1b[31m since the plan " +
				"was made (plan it again)"}}
	receipts := map[string]dropcap.Receipt{"apply": left}
	d := startDouble(t, &actor{id: nodeA, plan: "aaaaaaaaaaaa", says: receipts},
		&actor{id: nodeB, plan: "bbbbbbbbbbbb", says: receipts})
	text := d.ends(dropcap.ExitIncomplete, "fleet", "apply", d.planned(), "--yes", "--waves", "1",
		"--auto-backout")
	told := "dropcap: warning: 111122223333/us-east-1/" + nodeA +
		" and 1 other: web is left as it is: it has been renamed?[31m since"
	says(t, text, told, "wave 2 of 2: passed")
	if strings.Contains(text, "create-new") {
		t.Errorf("it tells of steps too:\n%s", text)
	}
	run := runID(t, text)
	says(t, d.ends(dropcap.ExitIncomplete, "fleet", "status", run), "2 hosts: done", told)
	says(t, d.ends(dropcap.ExitIncomplete, "fleet", "resume", run), told)
}
