package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/store"
)

// BackoutRequest says which changes to back out: one of the three.
type BackoutRequest struct {
	Name        string // a change, or the latest of a container
	Last        bool   // the latest change of this host
	All         bool   // all changes of this host, the newest first
	CallTimeout time.Duration
}

// Backout brings back the very same old containers, or releases a hold. If there is nothing to back
// out, the document is empty.
func (h *Host) Backout(ctx context.Context, q BackoutRequest) (Changed, error) {
	r, err := h.backoutHolds(ctx, q)
	if err != nil || r.Changes.Schema != "" && !q.All {
		return r, err
	}
	ch, list, err := h.chosen(ctx, q.CallTimeout, "Back out %s?", q.choose)
	if err != nil {
		return Changed{}, err
	}
	defer ch.Close()
	if len(list) == 0 {
		if len(r.Changes.Holds) == 0 {
			h.observer.Progress(Note{"nothing to back out"})
		}
		return r, nil
	}
	if err := h.endTrials(ctx, ch.Store, containersAfter(list)); err != nil {
		return Changed{}, err
	}
	h.observer.Progress(Begun{})
	released := r.Changes.Holds
	r, err = h.Outcome(ch.Backout(ctx, list))
	r.Changes.Holds = released
	return r, err
}

// containersAfter are the ids of the containers that changes have made.
func containersAfter(list []dropcap.Change) map[string]bool {
	ids := map[string]bool{}
	for _, c := range list {
		for _, o := range c.Containers() {
			ids[o.After] = true
		}
	}
	return ids
}

// chosen opens a session for the changes that choose picks, after the operator has agreed. Without
// an error the session is open, also where there is none to pick.
func (h *Host) chosen(ctx context.Context, timeout time.Duration, question string,
	choose func([]dropcap.Change) ([]dropcap.Change, error),
) (ch *Changing, list []dropcap.Change, err error) {
	if ch, err = h.Change(ctx, timeout); err != nil {
		return nil, nil, err
	}
	all, err := ch.Store.Changes(ctx)
	if err == nil {
		list, err = choose(all)
	}
	if err == nil && len(list) > 0 {
		err = h.observer.Ask(ctx, fmt.Sprintf(question, changeNames(list)))
	}
	if err != nil {
		ch.Close()
		return nil, nil, err
	}
	return ch, list, nil
}

// choose returns the changes, the newest first. A named change is returned in any state: the verb
// may refuse it.
func (q BackoutRequest) choose(all []dropcap.Change) ([]dropcap.Change, error) {
	able := slices.DeleteFunc(slices.Clone(all), func(c dropcap.Change) bool {
		return !CanBeBackedOut(c)
	})
	switch {
	case q.All:
		return able, nil
	case q.Last:
		return able[:min(len(able), 1)], nil
	}
	found, err := PickChanges(all, q.Name)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(found[0].ID, q.Name) {
		return found[:1], nil
	}
	if i := slices.IndexFunc(found, CanBeBackedOut); i >= 0 {
		return found[i : i+1], nil
	}
	return found[:1], nil
}

// CanBeBackedOut reports whether a change can be backed out in its present state.
func CanBeBackedOut(c dropcap.Change) bool {
	return c.State == dropcap.Applied || c.State == dropcap.NeedsPerson
}

func changeNames(list []dropcap.Change) string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = fmt.Sprintf("%s of %s", c.ID, c.Title())
	}
	return strings.Join(names, ", ")
}

// PruneRequest says whose retained containers to remove.
type PruneRequest struct {
	OlderThan   time.Duration // of changes that ended so long ago
	CallTimeout time.Duration
}

// Prune removes what old changes keep for a backout, never a volume. It returns the number of
// containers removed.
func (h *Host) Prune(ctx context.Context, q PruneRequest) (removed int, r Changed, err error) {
	old := func(all []dropcap.Change) ([]dropcap.Change, error) {
		return apply.Prunable(all, now().Add(-q.OlderThan)), nil
	}
	ch, list, err := h.chosen(ctx, q.CallTimeout, "Remove what is retained of %s?", old)
	if err != nil {
		return 0, Changed{}, err
	}
	defer ch.Close()
	if len(list) == 0 {
		return 0, Changed{}, nil
	}
	h.observer.Progress(Begun{})
	outcomes := ch.Prune(ctx, list)
	for _, o := range outcomes {
		if o.Err == nil && o.Change.Pruned {
			removed++
		}
	}
	r, err = h.Outcome(outcomes)
	return removed, r, err
}

// RecoverRequest says how long to wait for the engine to answer.
type RecoverRequest struct {
	Wait        time.Duration
	Busy        bool // wait for another dropcap that changes containers, too
	CallTimeout time.Duration
}

// Recover finishes every change that was interrupted when dropcap or this host ended.
func (h *Host) Recover(ctx context.Context, q RecoverRequest) (Changed, error) {
	ch, err := h.openWithin(ctx, q)
	if err != nil {
		return Changed{}, err
	}
	defer ch.Close()
	h.observer.Progress(Begun{})
	outcomes, err := ch.Recover(ctx)
	for _, o := range outcomes {
		h.recovered(o)
	}
	if err != nil {
		return Changed{}, err
	}
	return h.Outcome(outcomes)
}

// openWithin opens a session as soon as the engine answers.
func (h *Host) openWithin(ctx context.Context, q RecoverRequest) (*Changing, error) {
	for end := time.Now().Add(q.Wait); ; {
		ch, err := h.ChangeOnly(ctx, q.CallTimeout)
		passes := CodeOf(err) == dropcap.CodeHost || q.Busy && errors.Is(err, store.ErrBusy)
		if err == nil || !passes || time.Now().After(end) || ctx.Err() != nil {
			return ch, err
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}
