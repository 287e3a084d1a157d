package terminal

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/fleet"
)

// Where nobody sits at a terminal it is said too what is waited for, and what the others have
// answered is seen meanwhile.
func TestWhatIsWaitedForIsSaidWithoutATerminal(t *testing.T) {
	for verb, want := range map[string]string{
		"audit": "audit: 1/r/i-1: 2 containers: 2 pass\naudit: 1 of 3 hosts: waiting for " +
			"2\naudit: 1/r/i-2: 1 container: 1 fail\naudit: 2 of 3 hosts: waiting for 1\n",
		"apply": "wave 1 of 1: 1 of 3: 1/r/i-1: 2 containers: 2 pass\nwave 1 of 1: waiting for " +
			"2\nwave 1 of 1: 2 of 3: 1/r/i-2: 1 container: 1 fail\nwave 1 of 1: waiting for 1\n",
	} {
		var err strings.Builder
		tell := Fleet(&err)
		run := dropcap.FleetRun{Verb: verb, State: dropcap.RunGoing}
		host := func(id, says string) *dropcap.FleetHost {
			return &dropcap.FleetHost{Host: id,
				Receipt: &dropcap.Receipt{State: dropcap.ReceiptDone, Summary: says}}
		}
		tell(fleet.Progress{Run: run, Host: host("1/r/i-1", "2 containers: 2 pass"), Done: 1,
			Total: 3})
		tell(fleet.Progress{Run: run, Done: 1, Total: 3, Note: "waiting for 2", Waits: true})
		tell(fleet.Progress{Run: run, Host: host("1/r/i-2", "1 container: 1 fail"), Done: 2,
			Total: 3})
		tell(fleet.Progress{Run: run, Done: 2, Total: 3, Note: "waiting for 1", Waits: true})
		if err.String() != want {
			t.Errorf("%s:\n%s\nwant\n%s", verb, err.String(), want)
		}
	}
	var err strings.Builder
	tell := Fleet(&err)
	tell(fleet.Progress{Run: dropcap.FleetRun{Verb: "audit"},
		Host: &dropcap.FleetHost{Host: "1/r/i-1",
			Receipt: &dropcap.Receipt{State: dropcap.ReceiptDone}}, Done: 1, Total: 1})
	if err.String() != "" {
		t.Errorf("nothing was waited for: %q", err.String())
	}
}
