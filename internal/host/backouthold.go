package host

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/store"
)

// backoutHolds releases the holds that a request is for. The document is empty if there are none.
func (h *Host) backoutHolds(ctx context.Context, q BackoutRequest) (r Changed, err error) {
	if !store.Exists(h.config.Store) {
		return r, nil
	}
	var ids []string
	err = h.withStore(func(s *store.Store) (err error) {
		ids, err = q.holds(ctx, s)
		return err
	})
	if err != nil || len(ids) == 0 {
		return r, err
	}
	if err := h.observer.Ask(ctx, fmt.Sprintf("Release hold %s?",
		strings.Join(ids, ", "))); err != nil {
		return r, err
	}
	doc, err := h.ReleaseHolds(ctx, ids)
	if len(doc.Trials) > 0 {
		r.Changes = dropcap.Changes{Schema: dropcap.SchemaChange, Changes: []dropcap.Change{},
			Holds: doc.Trials}
	}
	return r, err
}

// holds returns the ids of the running holds that the request is for. Of a name, a change that can
// be backed out goes before a hold.
func (q BackoutRequest) holds(ctx context.Context, s *store.Store) (ids []string, err error) {
	running, err := holdKeeper{s}.Running(ctx)
	if err != nil || len(running) == 0 {
		return nil, err
	}
	changes, err := s.Changes(ctx)
	if err != nil {
		return nil, err
	}
	found, _ := PickChanges(changes, q.Name) // none of an empty name, or of a hold's
	named := q.Name != "" && !slices.ContainsFunc(found, CanBeBackedOut)
	last := slices.IndexFunc(changes, CanBeBackedOut)
	for _, t := range running {
		switch {
		case q.All, named && isHold(t, q.Name):
			ids = append(ids, t.ID)
		case q.Last && (last < 0 || t.Since > changes[last].Started):
			return []string{t.ID}, nil
		}
	}
	return ids, nil
}
