package cli

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"dropcap/internal/host"
	"dropcap/internal/node"
	"dropcap/internal/wire"
)

const nodeHelp = `What the SSM documents of a fleet run on a host; "dropcap fleet" is for people. A
request, of 32 hexadecimal digits, is done once, however often it comes: what it came to is its
receipt, which is kept in the store and printed, also to whoever asks again. The work goes on in a
process of its own when this one is killed. A receipt tells of a change whose process died, and
recover brings what it left unfinished to its end; it is never run again.

`

const nodeTransport = `
All take --request=ID, --deadline=SECONDS (wait so long for the end, then print how it stands; 50),
--offset=N (print the receipt from this character on), --whole (print all of it), and --each (ID and
REQUEST are given to many nodes, and each makes names of its own of them).

Exit status: 0 a receipt was printed, and the verb's own status stands in it; 1 error; 2 usage; 130
interrupted.`

// node is for machines, so it takes words of one form only and no flags of the engine.
func (a *app) node() *cobra.Command {
	return &cobra.Command{
		Use:   "node VERB [--NAME=VALUE...]",
		Short: "Do a request of a fleet on this host, once",
		Long:  nodeHelp + wire.Help() + nodeTransport,
		Example: "  dropcap node audit --request=0123456789abcdef0123456789abcdef " +
			"--level=cis",
		Hidden:             true,
		DisableFlagParsing: true,
		ValidArgsFunction: func(_ *cobra.Command, words []string, _ string) ([]string,
			cobra.ShellCompDirective) {
			return wire.Complete(words), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 || args[0] == "--help" || args[0] == "-h":
				return cmd.Help()
			case args[0] == "work":
				return a.runNodeWork(cmd.Context(), args[1:])
			}
			return a.runNode(cmd.Context(), args)
		},
	}
}

func (a *app) runNode(ctx context.Context, words []string) error {
	q, err := wire.Parse(words)
	if err != nil {
		return err
	}
	r, err := a.thisNode().Answer(ctx, q)
	if err != nil {
		return err
	}
	text, err := node.Print(r, q)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(a.out, text); err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}

// runNodeWork is the process that does a request.
func (a *app) runNodeWork(ctx context.Context, words []string) error {
	q, err := wire.Parse(words)
	if err != nil {
		return err
	}
	a.finished = true // the receipt tells what an interrupt came to
	ctx, done := hangup(ctx)
	defer done()
	return a.thisNode().Work(ctx, q, a.firstSay)
}

func (a *app) thisNode() *node.Node {
	self, err := os.Executable()
	if err != nil {
		self = "/proc/self/exe"
	}
	return node.New(node.Config{
		Store: defaultStore(), Version: version(), Process: []string{self, "node", "work"},
		Log:  a.err,
		Host: func(o host.Observer) *host.Host { return a.hostFor(defaultStore(), o) },
	})
}

// firstSay is the first and only word of a process that goes on by itself. Nobody need read it.
func (a *app) firstSay(word string) {
	fmt.Fprintln(a.out, word)
	_ = syscall.Dup3(2, 1, 0) // whoever reads is not kept waiting by what this process starts
}
