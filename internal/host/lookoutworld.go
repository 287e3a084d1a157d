package host

import (
	"context"
	"fmt"
	"time"

	"dropcap"
	"dropcap/internal/audit"
	"dropcap/internal/snapshot"
	"dropcap/internal/watch"
)

// lookoutWorld is the host as a watch asks for it.
type lookoutWorld struct{ *Lookout }

func (w lookoutWorld) Events(ctx context.Context) (<-chan watch.Event, error) {
	in, err := w.session.Events(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	out := make(chan watch.Event, cap(in))
	go func() {
		defer close(out)
		for ev := range in {
			switch ev.Action {
			case "die", "destroy":
				w.denials.ended(ev.ID)
			}
			select {
			case out <- watch.Event{Action: ev.Action, ID: ev.ID, Name: ev.Name, Exec: ev.Exec}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (w lookoutWorld) Answers(ctx context.Context) error { return w.session.Ping(ctx) }

func (w lookoutWorld) Exec(ctx context.Context, id string) (dropcap.Exec, error) {
	return w.session.Exec(ctx, id)
}

func (w lookoutWorld) Denials(ctx context.Context) ([]watch.Denial, error) {
	return w.denials.read(ctx)
}

func (w lookoutWorld) Ended(ctx context.Context) (ids []string, err error) {
	list, err := w.changes(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]dropcap.ChangeState{}
	for _, c := range list {
		seen[c.ID] = c.State
		if w.states == nil || w.states[c.ID] == c.State || !c.State.Over() {
			continue
		}
		for _, part := range c.Containers() {
			for _, id := range []string{part.Before, part.After} {
				if id != "" {
					ids = append(ids, id)
				}
			}
		}
	}
	w.states = seen
	return ids, nil
}

// Judge judges by the policy of now; where that cannot be read any more, by the last that could.
func (w lookoutWorld) Judge(ctx context.Context, ids []string) (watch.Judgement, error) {
	began := time.Now()
	pol := w.readPolicy()
	q := snapshot.Query{}
	for _, id := range ids {
		q.Filters = append(q.Filters, "id="+id)
	}
	snap, err := snapshot.Take(ctx, w.engine, w.session.Kernel, w.engine.here, q)
	if err != nil {
		return watch.Judgement{}, err
	}
	known := w.recalled(ctx)
	// what the kernel denies now may differ from what it denied when the store was read
	if known.denied, err = w.host.deniedByHolds(known.trials); err != nil {
		w.warn(fmt.Errorf("judging without what is held: %s", dropcap.AsError(err).Message))
	}
	known.mark(&snap)
	j := watch.Judgement{
		Policy: pol, Changes: known.changes,
		Audit: audit.Judge(snap, audit.Options{Policy: pol, Evidence: known.evidence,
			Changes: known.changes, Partial: len(ids) > 0, Now: now()}),
	}
	if len(ids) > 0 {
		j.BeyondFile = w.beyondFiles(snap)
	}
	j.Took = time.Since(began)
	return j, nil
}

func (w lookoutWorld) readPolicy() dropcap.Policy {
	p, err := w.request.Policy()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.policy = &p
	} else {
		w.warn(fmt.Errorf("the policy is not what it was, and the last one that could be read "+
			"counts: %s", dropcap.AsError(err).Message))
	}
	return *w.policy
}
