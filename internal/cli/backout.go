package cli

import (
	"context"
	"io"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/flag"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

type backoutCommand struct {
	outputFlags
	flag.Change
	last, all bool
}

func (a *app) backout() *cobra.Command {
	f := &backoutCommand{}
	cmd := &cobra.Command{
		Use:   "backout [CHANGE|CONTAINER]",
		Short: "Take a change back: the very same old container runs again",
		Long: `Take back a change, or the latest of a container: the new container is stopped, and
the old one, which was retained, gets its name and restart policy back and is started; then the new
one is removed, unless it holds files of its own. If the old one was removed, it is made again from
the journal. A change that needs a person can be taken back so once the cause is mended.
` + changeExitHelp,
		Example: `  sudo dropcap backout web
  sudo dropcap backout 1f0c5a9e77b2
  sudo dropcap backout --last
  sudo dropcap backout --all --yes`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeChanges(host.CanBeBackedOut),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runBackout(cmd.Context(), args, f)
		},
	}
	f.outputFlags.register(cmd, render.ChangeFormats(), "table")
	cmd.Flags().Lookup("quiet").Usage = "show ids of changes only"
	f.Change.Register(cmd.Flags(), defaultStore())
	cmd.Flags().BoolVar(&f.last, "last", false, "the latest change of this host")
	cmd.Flags().BoolVar(&f.all, "all", false, "all changes of this host, the newest first")
	return cmd
}

func (a *app) runBackout(ctx context.Context, args []string, f *backoutCommand) error {
	targets, err := f.targets(render.CheckChangeFormat)
	if err != nil {
		return err
	}
	given := len(args)
	for _, flag := range []bool{f.last, f.all} {
		if flag {
			given++
		}
	}
	if given != 1 {
		return usageError("for example `dropcap backout web`",
			"cannot tell what to back out: give a change, a container, --last or --all")
	}
	q := host.BackoutRequest{Last: f.last, All: f.all, CallTimeout: f.CallTimeout}
	if len(args) > 0 {
		q.Name = args[0]
	}
	a.yes = f.Yes
	ctx, done := hangup(ctx)
	defer done()
	r, err := a.host(f.Store).Backout(ctx, q)
	if r.Changes.Schema != "" {
		a.printChanges(targets, r.Changes, f.outputFlags)
	}
	return a.outcome(r, err)
}

// printChanges prints the result of changes. A failure to print does not hide what was done.
func (a *app) printChanges(targets []target, doc dropcap.Changes, f outputFlags) {
	if err := a.print(targets, func(w io.Writer, format string, o render.Options) error {
		return render.Changes(w, format, doc, o)
	}, f); err != nil {
		a.warn(err)
	}
}

// hangup also ends the work when the terminal goes away (SIGHUP).
func hangup(ctx context.Context) (context.Context, func()) {
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}
