package host

import (
	"context"

	"dropcap"
	"dropcap/internal/snapshot"
)

// SeeRequest says which containers to look at.
type SeeRequest struct {
	Names   []string // ids, id prefixes or names; none means all
	Filters []string // docker's key=value
	// IfPresent makes a name that no container has no error: Snapshot.Missing lists it.
	IfPresent bool
	// HostUnseen says that nobody will look at the host's description, which may then stay empty.
	HostUnseen bool
}

// See looks at containers without judging them.
func (h *Host) See(ctx context.Context, q SeeRequest) (dropcap.Snapshot, error) {
	s, err := h.Open(ctx)
	if err != nil {
		return dropcap.Snapshot{}, err
	}
	defer s.Close()
	return h.see(ctx, s, q)
}

func (h *Host) see(ctx context.Context, s *Session, q SeeRequest) (dropcap.Snapshot, error) {
	return snapshot.Take(ctx, s, s.Kernel, s.Machine, snapshot.Query{
		Names: q.Names, Filters: q.Filters, IfPresent: q.IfPresent, HostUnseen: q.HostUnseen,
		Progress: func(done, total int) { h.observer.Progress(Looked{done, total}) },
	})
}

// List returns the engine's containers, running or not.
func (h *Host) List(ctx context.Context) ([]dropcap.Ref, error) {
	s, err := h.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.List(ctx, nil)
}
