package apply

import (
	"context"
	"encoding/json"
	"time"

	"dropcap"
)

// keepCarry is the journal's key for carrying.
const keepCarry = "carry"

// carrying is what recovery needs to know about copying the old container's own layer.
type carrying struct {
	Boot string // of the host, as it began
}

// syncLayer is the effect after which the copied layer survives a power failure.
const syncLayer = "sync-layer"

// carryIf notes that the layer is carried along, and in which boot of the host.
func (c *change) carryIf(so bool, boot string) {
	if so {
		c.keep[keepCarry], _ = json.Marshal(carrying{Boot: boot}) // of a string
	}
}

// carriesLayer reports whether the layer is carried along.
func (c *change) carriesLayer() bool { return c.keep[keepCarry] != nil }

// carryLayer copies the layer while the container may write to it, or all of it if nothing does.
func carryLayer(c *change, to string, final bool) dropcap.Effect {
	return dropcap.Effect{Name: "carry-layer",
		Says:   "carry along what " + c.Name + " has written into its own layer",
		Action: &dropcap.Carry{From: c.Before, To: to, Final: final}}
}

// carryRest carries what the old one has written since, once it is stopped, and proves that the new
// one has it all.
func carryRest(c *change, to string) dropcap.Effect {
	return dropcap.Effect{Name: "carry-rest", Says: "carry what it has written since, and compare",
		Action: &dropcap.Carry{From: c.Before, To: to, Final: true}}
}

// carry is the first pass over the old layer. Nothing was stopped yet, so that an interrupt ends
// it.
func (s recreating) carry(ctx context.Context, c *change) error {
	old, err := read(c.job.Original.Inspect)
	if err != nil || !c.carriesLayer() {
		return err
	}
	_, err = s.do(ctx, c, carryLayer(c, c.After, !old.alive()))
	if stop := interrupted(ctx); stop != nil {
		return stop
	}
	return err
}

// synced reports whether the journal knows that what was carried is on the disk.
func (c *change) synced() bool { return !c.when(syncLayer).IsZero() }

// sync brings what was carried to the disk. It is done once the new one runs, since that may take a
// while; until then a loss of power leads back to the old one.
func (r *Runner) sync(ctx context.Context, c *change) error {
	if !c.carriesLayer() || c.synced() {
		return nil
	}
	_, err := r.do(ctx, c, dropcap.Effect{Name: syncLayer,
		Says:   "bring the new one's layer to the disk",
		Action: &dropcap.Sync{Container: c.After}})
	return err
}

// torn reports whether what was carried may have been lost with the host's power.
func (r *Runner) torn(c *change) bool {
	var was carrying
	if !c.carriesLayer() || c.synced() {
		return false
	}
	return json.Unmarshal(c.keep[keepCarry], &was) != nil || was.Boot == "" || was.Boot != r.Boot
}

// carryAgain carries the new container's layer into the old one that was made again: the old one's
// own went with it, and the new one's has all that was in it.
func (w wanted) carryAgain(old, new *containerState, m memory) *dropcap.Effect {
	if !w.layerCarried || m.carried || old == nil || old.ID == w.first || old.began() ||
		new == nil ||
		new.alive() {
		return nil
	}
	return &dropcap.Effect{Name: "carry-again", Says: "carry what the new " + w.name +
		" has in its own layer into the old one",
		Action: &dropcap.Carry{From: new.ID, To: old.ID, Final: true}}
}

// longest is how long an effect on a layer may take: for slow disks and large layers.
const longest = 24 * time.Hour
