package apply

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/recreate"
)

// discard removes the new container once the old one is in its place again: nobody needs it, and
// its last log is kept. It stays, as a retained one, where its own layer holds what nobody said may
// be lost, and where the engine does not remove it: nothing hangs on that.
func (b *backing) discard(ctx context.Context, w wanted, new *containerState) {
	if new == nil {
		b.c.Pruned = w.keepNew
		return
	}
	if new.alive() || new.Name != w.aside {
		return // somebody has a use for it
	}
	if why := b.precious(ctx, new); why != "" {
		b.stays(w, new, why)
		return
	}
	b.keepLog(ctx, b.c, new)
	if _, err := b.insist(ctx, remove("remove-backed-out", "remove "+new.Name+
		", which has no use any more", new.ID)); err != nil {
		b.stays(w, new, err.Error())
		return
	}
	b.c.Pruned = w.keepNew
}

// stays has the journal know a container that is kept, and says how to get at it.
func (b *backing) stays(w wanted, new *containerState, why string) {
	b.log("%s: %s stays, stopped: %s; `docker cp %s:PATH .` gets at what is in it, `dropcap prune` "+
		"removes it", b.c.Name, new.Name, why, new.Name)
	if w.keepNew { // a backout retains it in any case
		return
	}
	b.c.Because = joined(b.c.Because, new.Name+" stays, stopped: "+why)
	if first := b.c.first(); !slices.Contains(first.Kept, new.ID) {
		first.Kept = append(first.Kept, new.ID)
	}
}

// precious tells what the container has written into its own layer that is nowhere else. Who was
// told of the old one's and changed it all the same has said that it may be lost.
func (b *backing) precious(ctx context.Context, new *containerState) string {
	o, err := b.c.original()
	if err != nil {
		return err.Error()
	}
	if b.c.keep[keepDiscard] != nil || b.m.carried {
		return ""
	}
	look := dropcap.Effect{Name: "look-layer", Says: "look at what " + new.Name + " has written",
		Action: &dropcap.Call{Method: http.MethodGet, Path: "/containers/" + new.ID + "/changes",
			Timeout: slow}}
	if b.c.carriesLayer() { // what was carried into it is no loss
		look.Action = &dropcap.Compare{From: new.ID, To: b.c.Before, Since: b.c.when("start-new")}
	}
	result, err := b.insist(ctx, look)
	if err != nil {
		return "what it has written cannot be told: " + err.Error()
	}
	o.Inspect, o.Changes = new.raw, result.Body
	recipe, err := recreate.Read(o)
	if err != nil {
		return "what it has written cannot be told: " + err.Error()
	}
	lost := recipe.Layer()
	if len(lost) == 0 {
		return ""
	}
	const shown = 3
	return fmt.Sprintf("its own layer holds %s%s", strings.Join(lost[:min(shown, len(lost))], ", "),
		more(len(lost)-shown))
}

// insist does an effect that may be done twice: an engine that does not answer is waited for, one
// that refuses is asked again a few times.
func (b *backing) insist(ctx context.Context, e dropcap.Effect) (dropcap.Result, error) {
	refused, mute := 0, 0
	for end := b.now().Add(b.patience()); ; b.sleep(ctx, b.poll()) {
		result, err := b.do(ctx, b.c, e)
		switch {
		case err == nil:
			return result, nil
		case result.Status != 0:
			refused++
		default:
			if mute++; mute == 1 { // one request may take as long as all patience
				end = b.now().Add(b.patience())
			}
		}
		if refused == most/2 || b.now().After(end) {
			return result, err
		}
	}
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}
