package docker

import (
	"context"
	"sync"

	"dropcap"
)

// shared is one request whose result several callers share. The end of the first caller does not
// end it for the others, and each waits no longer than its own context.
type shared[T any] struct {
	once  sync.Once
	done  chan struct{}
	value T
	err   error
}

func (a *shared[T]) get(ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	a.once.Do(func() {
		a.done = make(chan struct{})
		go func() {
			defer close(a.done)
			a.value, a.err = ask(context.WithoutCancel(ctx))
		}()
	})
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, interrupted("what was asked of the engine", ctx)
	}
}

func interrupted(what string, ctx context.Context) error {
	return dropcap.Errorf(dropcap.CodeInterrupt, "", "cannot finish %s: %w", what, ctx.Err())
}
