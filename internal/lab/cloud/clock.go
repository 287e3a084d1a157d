package cloud

import (
	"context"
	"sync"
	"time"
)

// Clock returns the time. Tests may control it.
type Clock interface{ Now() time.Time }

// Waiter is a clock that can also wait.
type Waiter interface {
	Clock
	// Sleep waits, or returns the context's error.
	Sleep(ctx context.Context, d time.Duration) error
}

type wall struct{}

func (wall) Now() time.Time { return time.Now() }

func (wall) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// FakeClock stands still until it is advanced.
type FakeClock struct {
	mu      sync.Mutex
	now     time.Time
	moved   chan struct{} // closed when it is advanced
	waiting int
}

// NewFakeClock returns a clock that starts at a fixed time.
func NewFakeClock() *FakeClock {
	return &FakeClock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), moved: make(chan struct{})}
}

// Now returns the time to which the clock was advanced.
func (c *FakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *FakeClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	close(c.moved)
	c.moved = make(chan struct{})
}

// Waiting returns how many goroutines sleep by this clock.
func (c *FakeClock) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// Sleep waits until the clock is advanced by d.
func (c *FakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting++
	defer func() { c.waiting-- }()
	for until := c.now.Add(d); c.now.Before(until); {
		moved := c.moved
		c.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
		}
		c.mu.Lock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
