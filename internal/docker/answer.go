package docker

import (
	"context"
	"sync"

	"dropcap"
)

// answer is asked for once, however many wait for it. The first asker's end does not become
// everyone's answer, and each waits no longer than its own context.
type answer[T any] struct {
	once  sync.Once
	done  chan struct{}
	value T
	err   error
}

func (a *answer[T]) get(ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
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
