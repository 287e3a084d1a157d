package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"dropcap/internal/console"
	"dropcap/internal/node"
	"dropcap/internal/render"
)

const consoleHelp = `What the SSM documents for people (dropcap-audit, dropcap-plan, dropcap-apply,
dropcap-backout, dropcap-status) run on a host, with what was filled into their forms;
docs/aws-console.md is about them. Each form is done as a request of a fleet: once, in a process of
its own, which goes on when this command is killed. What is printed is for people, the verdict
first, within what AWS's console keeps.

  audit    --containers='A, B' --level=policy|cis|least --findings=report|fail|new --run=ID
  plan     --containers='A, B' --level=policy|cis|least --accept-low=no|yes --run=ID
  apply    the same, and --dry-run=yes|no; with --run=ID the plan of that run, and nothing else
  backout  --run=last|all|ID
  status   --run=ID

All take --wait=SECONDS, the time of the step. ID is that of the command or automation that planned
or applied; without one it is the id of this command.

Exit status: 0 the step did what it should, and the text tells what it found; 1 error; 2 usage;
3 findings, with --findings=fail, or worse than at the beginning of the run, with --findings=new;
4 rolled back, the old container runs; 5 a person is needed; 6 this host can't; 7 incomplete: still
at work, or something could not be judged or was not backed out; 130 interrupted.`

// console is for documents, so it takes words of one form only and no flags of the engine.
func (a *app) console() *cobra.Command {
	return &cobra.Command{
		Use:   "console FORM [--NAME=VALUE...]",
		Short: "Do a form of AWS's console on this host",
		Long:  consoleHelp,
		Example: "  dropcap console audit --level=cis\n" +
			"  dropcap console apply --dry-run=yes",
		Hidden:             true,
		DisableFlagParsing: true,
		ValidArgsFunction: func(_ *cobra.Command, words []string, _ string) ([]string,
			cobra.ShellCompDirective) {
			return console.Complete(words), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "--help" || args[0] == "-h" {
				return cmd.Help()
			}
			return a.runConsole(cmd.Context(), args)
		},
	}
}

func (a *app) runConsole(ctx context.Context, words []string) error {
	q, err := console.Parse(words)
	if err != nil {
		return err
	}
	c := console.Console{Node: a.thisNode(), ID: node.ManagedID(), Command: node.CommandID()}
	if c.ID == "" {
		c.ID, _ = os.Hostname() // by hand
	}
	page, err := c.Do(ctx, q)
	if err != nil {
		return err
	}
	a.status = page.Status
	return render.Console(a.out, render.ConsolePage(page), render.Options{Version: version(),
		Now: time.Now()})
}
