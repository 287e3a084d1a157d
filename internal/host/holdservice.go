package host

import (
	"context"
	"slices"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/deny"
	"dropcap/internal/hold"
	"dropcap/internal/store"
)

// holdLock is the lock of the service that holds.
const holdLock = "hold"

// HoldBegun reports that the kernel denies what the store says, and that an engine may start.
type HoldBegun struct{ Holds int }

func (HoldBegun) isProgress() {}

// HoldService keeps what is held, and holds new containers of the workloads, until ctx ends. What
// is held stays held then. It needs no engine to begin.
func (h *Host) HoldService(ctx context.Context) error {
	limitMemory()
	o, err := h.openHolding("")
	if err != nil {
		return err
	}
	defer o.close()
	unlock, err := o.store.Lock(holdLock)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	var session *Session
	defer func() {
		if session != nil {
			session.Close()
		}
	}()
	connect := func(ctx context.Context) (hold.Engine, error) {
		s, err := h.Open(ctx)
		if err != nil {
			return nil, err
		}
		if _, _, err := s.learnable(ctx); err != nil {
			s.Close()
			return nil, err
		}
		session = s
		return holdEngine{newLearnEngine(s)}, nil
	}
	return o.Serve(ctx, connect, func() {
		running, _ := holdKeeper{o.store}.Running(ctx)
		h.observer.Progress(HoldBegun{len(running)})
		releaseMemory()
	})
}

// HoldServed reports whether the service runs that holds new containers, and holds again after a
// boot.
func (h *Host) HoldServed() bool {
	served := false
	_ = h.withStore(func(s *store.Store) error {
		unlock, err := s.Lock(holdLock)
		if err != nil {
			served = true
			return nil
		}
		return unlock()
	})
	return served
}

// deniedByHolds returns what the kernel denies by holds, by container, if there are any.
func (h *Host) deniedByHolds(trials []dropcap.Trial) (map[string]caps.Set, error) {
	if !slices.ContainsFunc(trials, holds) {
		return nil, nil
	}
	return deny.Held(h.pin())
}

// heldBack reads from the store and the kernel what holds deny, by container.
func (h *Host) heldBack(ctx context.Context, s *store.Store) (map[string]caps.Set, error) {
	kept, err := s.Trials(ctx)
	if err != nil {
		return nil, err
	}
	var trials []dropcap.Trial
	for _, t := range kept {
		trials = append(trials, t.Trial)
	}
	return h.deniedByHolds(trials)
}

func holds(t dropcap.Trial) bool { return t.Kind == dropcap.KindHold && !t.State.Over() }

// markHeld marks the containers to which the kernel denies something by a hold: by the store's word
// and the kernel's. Where either cannot be read, nothing is marked: that is stricter.
func markHeld(trials []dropcap.Trial, denied map[string]caps.Set, snap *dropcap.Snapshot) {
	for _, t := range trials {
		if !holds(t) {
			continue
		}
		wanted := hold.Wanted([]dropcap.Trial{t})
		for i := range snap.Containers {
			c := &snap.Containers[i]
			by := wanted[c.ID] & denied[c.ID]
			if !by.Empty() && c.HeldBack == nil {
				c.HeldBack = &dropcap.HeldBack{Hold: t.ID, Caps: by, Since: t.Since, Until: t.Until}
			}
		}
	}
}
