package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/render"
	"dropcap/internal/store"
)

func (a *app) history() *cobra.Command {
	f := &outputFlags{}
	var folder string
	var log bool
	cmd := &cobra.Command{
		Use:   "history [CHANGE|CONTAINER]",
		Short: "Show the changes of this host, or one of them event by event",
		Long: `List the changes that were made on this host, the newest first; or tell one of them,
or all of one container, event by event. No engine is asked.
` + exitHelp,
		Example: `  sudo dropcap history
  sudo dropcap history 1f0c5a9e77b2
  sudo dropcap history web
  sudo dropcap history web --log
  sudo dropcap history --format json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeChanges(everyChange),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runHistory(cmd.Context(), args, f, folder, log)
		},
	}
	f.register(cmd, render.ChangeFormats(), "")
	cmd.Flags().Lookup("quiet").Usage = "show ids of changes only"
	cmd.Flags().BoolVar(&log, "log", false,
		"show what the new container of that change printed last, if it failed; it may hold secrets")
	cmd.Flags().StringVar(&folder, "store", defaultStore(), "the folder of the store")
	return cmd
}

func (a *app) runHistory(ctx context.Context, args []string, f *outputFlags, folder string,
	log bool) error {
	f.usual = "table"
	q := host.HistoryRequest{}
	if len(args) > 0 {
		f.usual, q.Name = "timeline", args[0]
	}
	targets, err := f.targets(render.CheckChangeFormat)
	if err != nil {
		return err
	}
	if log {
		return a.printLog(ctx, q, folder)
	}
	doc, err := a.host(folder).History(ctx, q)
	if err != nil {
		return err
	}
	return a.print(targets, func(w io.Writer, format string, o render.Options) error {
		return render.Changes(w, format, doc, o)
	}, *f)
}

// printLog prints the log that is kept of the newest of these changes, line by line as it may be
// shown.
func (a *app) printLog(ctx context.Context, q host.HistoryRequest, folder string) error {
	text, err := a.host(folder).Log(ctx, q)
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")
		if _, err := fmt.Fprintln(a.out, oneLine(line)); err != nil {
			return err
		}
	}
	return nil
}

// completeChanges offers the changes for which able says yes, by their containers and by their ids,
// with what each was beside it.
func completeChanges(able func(dropcap.Change) bool) cobra.CompletionFunc {
	return completeKept(defaultStore(), func(ctx context.Context, s *store.Store) []string {
		changes, _ := s.Changes(ctx)
		var list, names []string
		for _, c := range changes {
			if !able(c) {
				continue
			}
			list = append(list, c.ID+"\t"+oneLine(c.Title())+", "+string(c.State)+" "+c.Started)
			for _, o := range c.Containers() {
				if o.Name == oneLine(o.Name) && !slices.Contains(names, o.Name) {
					names = append(names, o.Name)
				}
			}
		}
		return slices.Concat(names, list)
	})
}

func everyChange(dropcap.Change) bool { return true }
