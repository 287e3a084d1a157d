package host

import (
	"context"
	"errors"
	"slices"
	"sync"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/recreate"
)

// strangers are the names of containers that use what a change has made, by a namespace or a link,
// and are not part of it: they were made since. One that a later change has left behind, at rest,
// uses nothing until that one is backed out.
func (ch *Changing) strangers(ctx context.Context, c dropcap.Change) (names []string, err error) {
	retained, err := retainedIDs(ctx, ch.Store)
	if err != nil {
		return nil, err
	}
	list, err := ch.Session.Overview(ctx, nil)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	err = each(ctx, list, func(ctx context.Context, l docker.Listed) error {
		raw, err := ch.Session.RawContainer(ctx, l.ID)
		if errors.Is(err, dropcap.ErrNotFound) {
			return nil
		}
		uses, unread := recreate.Uses(raw)
		if err != nil || unread != nil || retained[l.ID] && l.State != "running" {
			return nil // one that cannot be read bars no way back
		}
		if usesMade(c, l.Ref, uses) {
			mu.Lock()
			names = append(names, l.Name)
			mu.Unlock()
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// usesMade reports whether a container that is none of the change's uses one that it has made.
func usesMade(c dropcap.Change, r dropcap.Ref, uses []recreate.Use) bool {
	used := false
	for _, o := range c.Containers() {
		if o.After == r.ID || o.Before == r.ID || o.Name == r.Name {
			return false
		}
		used = used || o.After != "" && slices.ContainsFunc(uses, func(u recreate.Use) bool {
			// in place it stays the same container, and a link leads to that
			matters := u.Namespace() || u.Kind == "link" && c.Strategy != dropcap.StrategyInPlace
			return matters && (u.Container == o.After || u.Container == o.Name)
		})
	}
	return used
}
