package aws

import (
	"context"
	"time"
)

// limiter lets one request pass at a time, with a gap before the next: there are no bursts, since
// AWS publishes no rates.
type limiter struct {
	turn chan struct{} // holds one token, for whoever may check next
	gap  time.Duration
	next time.Time
}

func newLimiter(rate float64) *limiter {
	l := &limiter{turn: make(chan struct{}, 1), gap: time.Duration(float64(time.Second) / rate)}
	l.turn <- struct{}{}
	return l
}

// wait returns when a request may be sent. The waiting goroutine holds the turn, so that a leaping
// clock does not let two pass together.
func (l *limiter) wait(ctx context.Context, clock Clock) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := clock.Now()
		if d := l.next.Sub(now); d <= 0 {
			l.next = now.Add(l.gap)
			return nil
		} else if err := clock.Sleep(ctx, d); err != nil {
			return err
		}
	}
}

// hold blocks all requests for a while: the service reported too many.
func (l *limiter) hold(ctx context.Context, clock Clock, d time.Duration) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	if until := clock.Now().Add(d); until.After(l.next) {
		l.next = until
	}
	return nil
}

// limit returns the limiter of one API of one place.
func (c *Client) limit(scope, api string) *limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := scope + " " + api
	l := c.limits[key]
	if l == nil {
		l = newLimiter(c.rate)
		c.limits[key] = l
	}
	return l
}
