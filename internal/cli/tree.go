package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Commands is the tree of commands, for the generator of the manual: to be read, not run.
func Commands() *cobra.Command {
	return (&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard}).root()
}
