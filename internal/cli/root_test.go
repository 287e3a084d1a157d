package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Whoever asks for help learns of each command what it does, how it is used, and its exit statuses.
func TestEachCommandExplainsItself(t *testing.T) {
	walked := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		walked++
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: in short %q", c.CommandPath(), c.Short)
		}
		if acts := c.Runnable() && !c.HasSubCommands(); acts {
			if !strings.Contains(c.Long, "\nExit status: 0 ") {
				t.Errorf("%s: its help has no exit statuses", c.CommandPath())
			}
			if !strings.Contains(c.Example, "dropcap ") {
				t.Errorf("%s: its help has no example", c.CommandPath())
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(Commands())
	if walked < 20 {
		t.Errorf("%d commands only", walked)
	}
}
