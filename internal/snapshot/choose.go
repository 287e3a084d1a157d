package snapshot

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"dropcap"
)

// choose finds the containers that the query names, each once, or lists them all. missing are the
// names that no container has.
func choose(ctx context.Context, e Engine,
	q Query) (refs []dropcap.Ref, missing []string, err error) {
	if len(q.Names) == 0 {
		refs, err = e.List(ctx, q.Filters)
		return refs, nil, err
	}
	allowed := map[string]bool{}
	if len(q.Filters) > 0 {
		list, err := e.List(ctx, q.Filters)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range list {
			allowed[r.ID] = true
		}
	}
	seen := map[string]bool{}
	for _, name := range q.Names {
		c, err := e.Inspect(ctx, name)
		switch {
		case errors.Is(err, dropcap.ErrNotFound) && q.IfPresent:
			missing = append(missing, name)
			continue
		case errors.Is(err, dropcap.ErrNotFound):
			return nil, nil, unknown(ctx, e, name)
		case err != nil:
			if c, err = named(ctx, e, name, err); err != nil {
				return nil, nil, err
			}
		}
		if q.IfPresent && happens(c, name) {
			missing = append(missing, name)
			continue
		}
		if seen[c.ID] || len(q.Filters) > 0 && !allowed[c.ID] {
			continue
		}
		seen[c.ID] = true
		refs = append(refs, dropcap.Ref{ID: c.ID, Name: c.Name})
	}
	return refs, missing, nil
}

// happens reports whether only the beginning of a container's id happens to be the name: the engine
// takes "db" for one whose id begins so. Of a name that need not be here, that is another's.
func happens(c dropcap.Container, name string) bool {
	const short = 12 // digits, as docker prints ids
	return c.Name != strings.TrimPrefix(name, "/") && len(name) < short &&
		strings.HasPrefix(c.ID, name)
}

// named returns an unread container, found by its name or id; why is the reason that it cannot be
// described.
func named(ctx context.Context, e Engine, name string, why error) (dropcap.Container, error) {
	if ctx.Err() != nil || errors.Is(why, dropcap.ErrUnreachable) {
		return dropcap.Container{}, why
	}
	list, err := e.List(ctx, nil)
	if err != nil {
		return dropcap.Container{}, why
	}
	name = strings.TrimPrefix(name, "/")
	var found []dropcap.Ref
	for _, r := range list {
		if r.Name == name || r.ID == name {
			return dropcap.Container{ID: r.ID, Name: r.Name}, nil
		}
		if strings.HasPrefix(r.ID, name) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return dropcap.Container{}, why
	}
	return dropcap.Container{ID: found[0].ID, Name: found[0].Name}, nil
}

// unknown returns the error for a name that no container has, with the nearest existing name.
func unknown(ctx context.Context, e Engine, name string) error {
	hint := "`docker ps --all` lists the containers of this engine"
	if list, err := e.List(ctx, nil); err == nil {
		if near := nearest(name, list); near != "" {
			hint = "did you mean " + near + "?"
		} else if len(list) == 0 {
			hint = "this engine has no containers"
		}
	}
	return &dropcap.Error{Code: dropcap.CodeError, Message: "cannot find a container named " +
		strconv.Quote(name), Hint: hint, Err: dropcap.ErrNotFound}
}
