package apply

import (
	"context"
	"slices"

	"dropcap"
	"dropcap/internal/recreate"
)

// A legacy link leads to a container itself, whatever that is called. But an engine that is started
// ties all links anew, by the names that they were made with (moby daemon/daemon.go,
// registerLinks), and by then the name may be the new one's. So an old container that was retained
// over a start of the engine may be linked to the new one, also once that is gone; and nothing but
// a create makes a link. Then it is made again, with what its own layer holds.

// linkedTo are the names of the containers of the group that this one's old one links to.
func (c *change) linkedTo() (names []string) {
	o, err := c.original()
	if err != nil || c.lead == nil {
		return nil
	}
	uses, err := recreate.Uses(o.Inspect)
	if err != nil {
		return nil
	}
	for _, u := range uses {
		for _, m := range c.first().all() {
			if u.Kind == "link" && u.Container == m.Name {
				names = append(names, m.Name)
			}
		}
	}
	return names
}

// linked reports whether another one of the group links to this one.
func (c *change) linked() bool {
	return slices.ContainsFunc(c.first().all(), func(m *change) bool {
		return slices.Contains(m.linkedTo(), c.Name)
	})
}

// astray reports whether the old one's links lead elsewhere, though what it links to has its name
// back.
func (b *backing) astray(old *containerState) bool {
	names := b.c.linkedTo()
	if old == nil || len(names) == 0 || b.tries["relink"] >= most {
		return false
	}
	o, err := b.c.original()
	return err == nil && !recreate.Linked(o.Inspect, old.raw, names)
}

// againName is what a copy is called until the journal knows of it.
func (c *change) againName() string { return c.backupName() + "-again" }

// relink makes the old one again with its links. Until the journal knows the copy, the old one is
// as it was; from then on it is one that is left over.
func (b *backing) relink(ctx context.Context, old *containerState) error {
	b.tries["relink"]++
	switch {
	case old.alive(): // the engine has started it by itself
		return b.step(ctx, *one(stop("stop-old", "stop the old "+b.c.Name+
			", whose links lead elsewhere", old.ID, old.grace())), old)
	case old.Name != b.c.backupName():
		return b.step(ctx, *one(rename("rename-old", old.ID, b.c.backupName())), old)
	}
	b.sweepStrays(ctx)
	id, result, err := b.makeAgain(ctx, "create-linked", b.c.againName())
	if err == nil && b.c.carriesLayer() {
		result, err = b.do(ctx, b.c, dropcap.Effect{Name: "carry-linked",
			Says:   "carry what the old " + b.c.Name + " has in its own layer into the copy",
			Action: &dropcap.Carry{From: old.ID, To: id, Final: true}})
		if err == nil {
			result, err = b.do(ctx, b.c, dropcap.Effect{Name: "sync-linked",
				Says: "bring the copy's layer to the disk", Action: &dropcap.Sync{Container: id}})
		}
	}
	if err != nil {
		if b.tries["relink"] >= most && result.Status != 0 || b.now().After(b.hope) {
			return err
		}
		b.sleep(ctx, b.poll()*5)
		return nil
	}
	b.m.carried = true
	if b.m.unnoted = !b.replaced(ctx, id, "the links of the old one led elsewhere since the "+
		"engine was started again; it was made again with what it held"); !b.m.unnoted {
		b.sweepStrays(ctx)
	}
	b.hope = b.now().Add(b.patience())
	return nil
}

// sweepStrays removes a copy that the journal does not know, or else the one that it was made of.
func (b *backing) sweepStrays(ctx context.Context) {
	if len(b.c.linkedTo()) == 0 {
		return
	}
	for _, name := range []string{b.c.againName(), b.c.backupName()} {
		s, err := b.look(ctx, b.c, "look-stray", name)
		if err != nil || s == nil || s.Name != name || s.ID == b.c.Before || s.ID == b.c.After ||
			s.alive() || name == b.c.againName() && s.began() {
			continue
		}
		if _, err := b.do(ctx, b.c, remove("remove-stray", "remove "+s.Name+
			", which has no use any more", s.ID)); err != nil {
			b.log("%s: %v", b.c.Name, err)
		}
	}
}
