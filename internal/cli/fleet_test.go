package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What changes nothing is taken, since scripts may have it, but not shown.
func TestHelpOfFleetShowsNoFlagWithoutEffect(t *testing.T) {
	root := Commands()
	fleet, _, err := root.Find([]string{"fleet"})
	if err != nil {
		t.Fatal(err)
	}
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		help := cmd.UsageString()
		for _, flag := range []string{"--host ", "--context ", "--config ", "--timeout ", "--tls",
			"Global Flags", "has no effect here"} {
			if strings.Contains(help, flag) {
				t.Errorf("%s shows %s:\n%s", cmd.CommandPath(), flag, help)
			}
		}
		if err := cmd.ParseFlags([]string{"-H", "unix:///nowhere", "--timeout", "1s",
			"--tlsverify"}); err != nil {
			t.Errorf("%s: %v", cmd.CommandPath(), err)
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	look(fleet)
	if audit, _, err := root.Find([]string{"audit"}); err != nil ||
		!strings.Contains(audit.UsageString(), "--tlsverify") {
		t.Errorf("%v: %s", err, audit.UsageString())
	}
	status, _, err := root.Find([]string{"fleet", "status"})
	if err != nil || status.ParseFlags([]string{"-q"}) != nil ||
		strings.Contains(status.UsageString(), "--quiet") {
		t.Errorf("%v: %s", err, status.UsageString())
	}
}
