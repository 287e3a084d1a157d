package host

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/store"
)

// HistoryRequest names a change, by its id or a beginning of at least four digits, or a container,
// by name, id or workload. Empty means all changes.
type HistoryRequest struct{ Name string }

// History returns the changes of this host, the newest first. No engine is asked.
func (h *Host) History(ctx context.Context, q HistoryRequest) (dropcap.Changes, error) {
	doc := dropcap.Changes{Schema: dropcap.SchemaChange}
	err := h.withStore(func(s *store.Store) (err error) {
		if doc.Holds, err = holdsOf(ctx, s, q.Name); err != nil {
			return err
		}
		doc.Changes, err = ChangesOf(ctx, s, q.Name)
		if errors.Is(err, dropcap.ErrNotFound) && len(doc.Holds) > 0 {
			doc.Changes, err = []dropcap.Change{}, nil
		}
		return err
	})
	return doc, err
}

// holdsOf returns the holds that a name stands for, as HistoryRequest has it, the newest first.
func holdsOf(ctx context.Context, s *store.Store, name string) ([]dropcap.Trial, error) {
	all, err := s.Trials(ctx)
	var list []dropcap.Trial
	for _, t := range all {
		if t.Kind == dropcap.KindHold && (name == "" || isHold(t.Trial, name)) {
			list = append(list, t.Trial)
		}
	}
	return list, err
}

// Log returns what the new container of the newest of these changes printed last, if it failed or
// was backed out. It may hold secrets.
func (h *Host) Log(ctx context.Context, q HistoryRequest) (text string, err error) {
	if q.Name == "" {
		return "", dropcap.Errorf(dropcap.CodeUsage, "for example dropcap history web --log",
			"cannot show a log: no change is named")
	}
	err = h.withStore(func(s *store.Store) error {
		list, err := ChangesOf(ctx, s, q.Name)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(c dropcap.Change) bool { return c.Logged })
		if i < 0 {
			return &dropcap.Error{
				Code: dropcap.CodeError, Err: dropcap.ErrNotFound,
				Message: "cannot find a log there",
				Hint: "one is kept of a new container that printed something and failed or was " +
					"backed out, " +
					"until `dropcap prune` removes it",
			}
		}
		kept, err := s.Kept(ctx, list[i].ID)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(kept[apply.KeepLog], &text); err != nil {
			return dropcap.Errorf(dropcap.CodeError, "", "cannot read the log of change %s: %w",
				list[i].ID, err)
		}
		return nil
	})
	return text, err
}

// ChangesOf returns the changes that a name stands for, as HistoryRequest has it.
func ChangesOf(ctx context.Context, s *store.Store, name string) ([]dropcap.Change, error) {
	list, err := s.Changes(ctx)
	if err != nil || name == "" {
		return list, err
	}
	return PickChanges(list, name)
}

// PickChanges returns a change by its id, or those of a container.
func PickChanges(list []dropcap.Change, name string) ([]dropcap.Change, error) {
	var found []dropcap.Change
	for _, c := range list {
		if c.ID == name || len(name) >= 4 && strings.HasPrefix(c.ID, name) {
			found = append(found, c)
		}
	}
	if len(found) > 1 {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "give more of its digits",
			"cannot tell which change %q is: %d begin so", name, len(found))
	}
	if len(found) == 1 {
		return found, nil
	}
	found = slices.DeleteFunc(slices.Clone(list), func(c dropcap.Change) bool {
		return !slices.ContainsFunc(c.Containers(), func(o dropcap.ChangedContainer) bool {
			byID := len(name) >= 12 && (strings.HasPrefix(o.Before, name) ||
				strings.HasPrefix(o.After, name))
			return o.Name == name || o.Workload == name || byID
		})
	})
	if len(found) == 0 {
		return nil, &dropcap.Error{
			Code: dropcap.CodeError, Err: dropcap.ErrNotFound,
			Hint:    "`dropcap history` lists all changes",
			Message: "cannot find a change " + strconv.Quote(name),
		}
	}
	return found, nil
}
