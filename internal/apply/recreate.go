package apply

import (
	"context"

	"dropcap"
)

// recreating makes a new container and retains the old one.
type recreating struct{ *Runner }

func (s recreating) effects(c *change) []dropcap.Effect           { return nil }
func (s recreating) prepare(ctx context.Context, c *change) error { return errNotYet }
func (s recreating) swap(ctx context.Context, c *change) error    { return errNotYet }
func (s recreating) back(ctx context.Context, c *change) error    { return errNotYet }
func (s recreating) stands(ctx context.Context, c *change) (bool, error) {
	return false, errNotYet
}
