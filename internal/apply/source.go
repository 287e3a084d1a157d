package apply

import (
	"context"

	"dropcap"
)

// Source is what changing the owner's source takes.
type Source struct{}

type sourcing struct{ *Runner }

func newSource(r *Runner) strategy { return sourcing{r} }

func (s sourcing) effects(c *change) []dropcap.Effect           { return nil }
func (s sourcing) prepare(ctx context.Context, c *change) error { return errNotYet }
func (s sourcing) swap(ctx context.Context, c *change) error    { return errNotYet }
func (s sourcing) back(ctx context.Context, c *change) error    { return errNotYet }
func (s sourcing) stands(ctx context.Context, c *change) (bool, error) {
	return false, errNotYet
}

var errNotYet = dropcap.Errorf(dropcap.CodeError, "", "cannot do that yet")
