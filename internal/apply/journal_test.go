package apply

import (
	"context"
	"encoding/json"
	"slices"

	"dropcap"
)

func (s *scripted) write(n dropcap.Note) error {
	b, _ := json.Marshal(n.Change)
	var c dropcap.Change
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	at := slices.IndexFunc(s.changes, func(x dropcap.Change) bool { return x.ID == c.ID })
	if at < 0 {
		s.changes = append(s.changes, c)
	} else {
		s.changes[at] = c
	}
	if n.Keep != nil {
		s.keep[c.ID] = n.Keep
	}
	return nil
}

func (s *scripted) Changes(context.Context) ([]dropcap.Change, error) {
	list := slices.Clone(s.changes)
	slices.Reverse(list)
	return list, nil
}

func (s *scripted) Unfinished(ctx context.Context) ([]dropcap.Change, error) {
	list, err := s.Changes(ctx)
	return slices.DeleteFunc(list, func(c dropcap.Change) bool { return c.State.Over() }), err
}

func (s *scripted) Kept(_ context.Context, id string) (map[string]json.RawMessage, error) {
	return s.keep[id], nil
}
