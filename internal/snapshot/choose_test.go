package snapshot

import (
	"strings"
	"testing"

	"dropcap"
)

// A fleet's request for "db" is not for a container of this host whose id begins so.
func TestANameIsNoBeginningOfAnId(t *testing.T) {
	c := dropcap.Container{ID: "db" + strings.Repeat("0", 62), Name: "web"}
	for name, want := range map[string]bool{"db": true, "db0": true, "web": false, "/web": false,
		c.ID: false, c.ID[:12]: false} {
		if got := happens(c, name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
