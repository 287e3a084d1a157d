package e2e_test

import (
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/lab/cloud"
)

// A node whose agent is gone, although the service believes it alive, does not delay a look for
// long.
func TestALookDoesNotWaitForANodeThatIsGone(t *testing.T) {
	t.Parallel()
	d := startDouble(t, &actor{id: nodeA})
	d.cloud.Add(cloud.Node{ID: nodeB}) // it has no agent
	began := time.Now()
	text := d.ends(dropcap.ExitIncomplete, "fleet", "audit", "--targets", "all", "--answer-timeout",
		"6s")
	says(t, text, "unreachable: 1 host: "+nodeB, "it showed no sign of life for ",
		"it was only to be looked at, so nothing was changed there",
		"--answer-timeout waits longer", "1 host failed")
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	d.ends(dropcap.ExitUsage, "fleet", "audit", "--targets", "all", "--answer-timeout", "0s")
}
