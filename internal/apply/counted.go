package apply

import (
	"context"
	"encoding/json"
	"slices"

	"dropcap"
	"dropcap/internal/owner"
)

// counted reports whether docker compose counts the old container among a service's: then it must
// not be retained. Compose takes every container with its labels for one of the service's, removes
// those that are too many, and starts all of them with `docker compose restart`.
func (c *change) counted() bool {
	o, err := c.original()
	if err != nil {
		return false
	}
	var b struct {
		Config struct{ Labels map[string]string }
	}
	return json.Unmarshal(o.Inspect, &b) == nil && owner.Counted(b.Config.Labels)
}

// released reports whether the old container is not retained. Of a group none is, once one is not:
// those in a namespace name its container by the id, which one made again from the journal lacks.
func (c *change) released() bool {
	return slices.ContainsFunc(c.first().all(), (*change).counted)
}

func removeOld(name, id string) dropcap.Effect {
	return remove("remove-old", "remove the old "+name+": compose would count the old ones", id)
}

// release removes an old container that is at rest and must not be retained. A backout makes it
// again from the journal. One that the engine does not remove stays until it is pruned, and one
// that somebody has given another name is his.
func (s recreating) release(ctx context.Context, c *change, old *containerState) {
	if !c.released() || old != nil && old.Name != c.backupName() {
		return
	}
	if old != nil {
		b := &backing{Runner: s.Runner, c: c}
		if _, err := b.insist(ctx, removeOld(c.Name, old.ID)); err != nil {
			s.log("%s: %s stays, stopped: %v; `dropcap prune` removes it", c.Name, old.Name, err)
			return
		}
	}
	c.Pruned = true
}
