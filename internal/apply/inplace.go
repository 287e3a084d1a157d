package apply

import (
	"context"

	"dropcap"
)

// InPlace is what changing the engine's own file takes.
type InPlace struct{}

type inPlacing struct{ *Runner }

func newInPlace(r *Runner) strategy { return inPlacing{r} }

func (s inPlacing) effects(c *change) []dropcap.Effect           { return nil }
func (s inPlacing) prepare(ctx context.Context, c *change) error { return errNotYet }
func (s inPlacing) swap(ctx context.Context, c *change) error    { return errNotYet }
func (s inPlacing) back(ctx context.Context, c *change) error    { return errNotYet }
func (s inPlacing) stands(ctx context.Context, c *change) (bool, error) {
	return false, errNotYet
}
