package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

type backoutCommand struct {
	outputFlags
	changeFlags
	last, all bool
}

func (a *app) backout() *cobra.Command {
	f := &backoutCommand{}
	cmd := &cobra.Command{
		Use:   "backout [CHANGE|CONTAINER]",
		Short: "Take a change back: the very same old container runs again",
		Long: `Take back a change, or the latest of a container: the new container is stopped and put aside, and the old one, which was retained, gets
its name and restart policy back and is started. If it was removed, it is made again from the journal. A change that needs a person can
be taken back so once the cause is mended.
` + changeExitHelp,
		Example: `  sudo dropcap backout web
  sudo dropcap backout 1f0c5a9e77b2
  sudo dropcap backout --last
  sudo dropcap backout --all --yes`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeChanges(canBeBackedOut),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runBackout(cmd.Context(), args, f) },
	}
	f.outputFlags.register(cmd, render.ChangeFormats(), "table")
	cmd.Flags().Lookup("quiet").Usage = "show ids of changes only"
	f.changeFlags.register(cmd.Flags())
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
		return usageError("for example `dropcap backout web`", "cannot tell what to back out: give a change, a container, --last or --all")
	}
	ch, err := a.change(ctx, &f.changeFlags)
	if err != nil {
		return err
	}
	defer ch.close()
	all, err := ch.store.Changes(ctx)
	if err != nil {
		return err
	}
	list, err := f.choose(all, args)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintln(a.err, "nothing to back out")
		return nil
	}
	if !f.yes {
		if err := a.confirm(ctx, fmt.Sprintf("Back out %s?", changeNames(list))); err != nil {
			return err
		}
	}
	ctx, done := a.begun(ctx)
	defer done()
	outcomes := ch.Backout(ctx, list)
	if err := a.print(targets, func(w io.Writer, format string, o render.Options) error {
		return render.Changes(w, format, changesIn(outcomes), o)
	}, f.outputFlags); err != nil {
		a.warn(err)
	}
	return a.outcome(outcomes)
}

// choose picks the changes, the newest first. A change that is named is given whatever its state is: that is for the verb to refuse.
func (f *backoutCommand) choose(all []dropcap.Change, args []string) ([]dropcap.Change, error) {
	var able []dropcap.Change
	for _, c := range all {
		if canBeBackedOut(c) {
			able = append(able, c)
		}
	}
	switch {
	case f.all:
		return able, nil
	case f.last:
		return able[:min(len(able), 1)], nil
	}
	found, err := host.PickChanges(all, args[0])
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(found[0].ID, args[0]) {
		return found[:1], nil
	}
	for _, c := range found {
		if c.State == dropcap.Applied || c.State == dropcap.NeedsPerson {
			return []dropcap.Change{c}, nil
		}
	}
	return found[:1], nil
}

func changeNames(list []dropcap.Change) string {
	var names []string
	for _, c := range list {
		names = append(names, fmt.Sprintf("%s of %s", c.ID, c.Name))
	}
	return strings.Join(names, ", ")
}
