package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dropcap"
)

const nodeHelp = `What the SSM documents of a fleet run on a host; "dropcap fleet" is for people. A
request, of 32 hexadecimal digits, is done once, however often it comes: what it came to is its
receipt, which is kept in the store and printed, also to whoever asks again. The work goes on in a
process of its own when this one is killed. A receipt tells of a change whose process died, and
recover brings what it left unfinished to its end; it is never run again.

  hello                                          who is here: no request is recorded
  audit    [--level=L] [--container=NAME...]
  plan     [--level=L] [--accept=low] [--strategy=S] [--container=NAME...]
  apply    --plans=ID:SHA256[,...] [--soak=D] [--timeout=D] [--all]
                                                 the one of these plans that this host has made and kept
  backout  --of=REQUEST[,...]                    what these requests to apply have changed
  learn    --for=D
  evidence [--workload=W...]
  receive  --part=K/N --sum=SHA256 --data=BASE64URL
                                                 a part of evidence; when all have come they are imported
  history
  receipt  --of=REQUEST                          what a request came to; no container is changed
  recover  --of=REQUEST                          the same, and ends a change whose process died

All take --request=ID, --deadline=SECONDS (wait so long for the end, then print how it stands; 50),
--offset=N (print the receipt from this character on), --whole (print all of it), and --each (ID
and REQUEST are given to many nodes, and each makes names of its own of them).
`

const nodeExit = `
Exit status: 0 a receipt was printed, and the verb's own status stands in it; 1 error; 2 usage; 130
interrupted.`

// node is for machines, so it takes words of one form only and no flags of the engine.
func (a *app) node() *cobra.Command {
	return &cobra.Command{
		Use:   "node VERB [--NAME=VALUE...]",
		Short: "Do a request of a fleet on this host, once",
		Long:  nodeHelp + nodeExit,
		Example: "  dropcap node audit --request=0123456789abcdef0123456789abcdef " +
			"--level=cis",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "--help" || args[0] == "-h" {
				return cmd.Help()
			}
			working := args[0] == "work"
			if working {
				args = args[1:]
			}
			q, err := readRequest(args)
			if err != nil {
				return err
			}
			if working {
				return a.nodeWork(cmd.Context(), q)
			}
			return a.runNode(cmd.Context(), q)
		},
	}
}

func (a *app) runNode(ctx context.Context, q nodeRequest) error {
	switch q.verb {
	case "hello":
		return a.printReceipt(a.hello(ctx, q), q)
	case "receipt", "recover":
		return a.nodeReceipt(ctx, q)
	}
	return a.nodeAsk(ctx, q)
}

// hello says who is here, and records nothing.
func (a *app) hello(ctx context.Context, q nodeRequest) dropcap.Receipt {
	r := a.newReceipt(q)
	r.Host.Docker = a.engineVersion(ctx)
	r.State, r.Ended = dropcap.ReceiptDone, now()
	r.Summary = fmt.Sprintf("dropcap %s, kernel %s, engine %s", r.Host.Dropcap, r.Host.Kernel,
		r.Host.Docker)
	if r.Host.Docker == "" {
		r.Summary = fmt.Sprintf("dropcap %s, kernel %s, no engine answers", r.Host.Dropcap,
			r.Host.Kernel)
	}
	return r
}
