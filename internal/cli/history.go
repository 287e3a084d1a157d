package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/apply"
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
		Long: `List the changes that were made on this host, the newest first; or tell one of them, or all of one container, event by event.
No engine is asked.
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
	cmd.Flags().BoolVar(&log, "log", false, "show what the new container of that change printed last, if it failed; it may hold secrets")
	cmd.Flags().StringVar(&folder, "store", defaultStore(), "the folder of the store")
	return cmd
}

func (a *app) runHistory(ctx context.Context, args []string, f *outputFlags, folder string, log bool) error {
	f.usual = "table"
	if len(args) > 0 {
		f.usual = "timeline"
	}
	targets, err := f.targets(render.CheckChangeFormat)
	if err != nil {
		return err
	}
	s, err := store.Open(folder)
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := s.Changes(ctx)
	if err != nil {
		return err
	}
	if len(args) > 0 {
		if list, err = changesOf(list, args[0]); err != nil {
			return err
		}
	}
	if log {
		return a.printLog(ctx, s, list, len(args) > 0)
	}
	doc := dropcap.Changes{Schema: dropcap.SchemaChange, Changes: list}
	return a.print(targets, func(w io.Writer, format string, o render.Options) error {
		return render.Changes(w, format, doc, o)
	}, *f)
}

// printLog prints the log that is kept of the newest of these changes, line by line as it may be shown.
func (a *app) printLog(ctx context.Context, s *store.Store, list []dropcap.Change, named bool) error {
	if !named {
		return usageError("for example dropcap history web --log", "cannot show a log: no change is named")
	}
	i := slices.IndexFunc(list, func(c dropcap.Change) bool { return c.Logged })
	if i < 0 {
		return &dropcap.Error{Code: dropcap.CodeError, Err: dropcap.ErrNotFound, Message: "cannot find a log there",
			Hint: "one is kept of a new container that printed something and failed, until `dropcap prune` removes it"}
	}
	kept, err := s.Kept(ctx, list[i].ID)
	if err != nil {
		return err
	}
	var text string
	if err := json.Unmarshal(kept[apply.KeepLog], &text); err != nil {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot read the log of change %s: %w", list[i].ID, err)
	}
	for line := range strings.Lines(text) {
		if _, err := fmt.Fprintln(a.out, oneLine(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    "))); err != nil {
			return err
		}
	}
	return nil
}

// changesOf picks a change by its id or a beginning of at least four digits, or those of a container by name, by id, or by workload.
func changesOf(list []dropcap.Change, name string) ([]dropcap.Change, error) {
	var found []dropcap.Change
	for _, c := range list {
		if c.ID == name || len(name) >= 4 && strings.HasPrefix(c.ID, name) {
			found = append(found, c)
		}
	}
	if len(found) > 1 {
		return nil, usageError("give more of its digits", "cannot tell which change %q is: %d begin so", name, len(found))
	}
	if len(found) == 1 {
		return found, nil
	}
	found = slices.DeleteFunc(slices.Clone(list), func(c dropcap.Change) bool {
		byID := len(name) >= 12 && (strings.HasPrefix(c.Before, name) || strings.HasPrefix(c.After, name))
		return c.Name != name && c.Workload != name && !byID
	})
	if len(found) == 0 {
		return nil, &dropcap.Error{Code: dropcap.CodeError, Err: dropcap.ErrNotFound, Hint: "`dropcap history` lists all changes",
			Message: "cannot find a change " + strconv.Quote(name)}
	}
	return found, nil
}
