package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// Sender brings occurrences somewhere. An error with a method Permanent that returns true says that
// another attempt would not help; one with RetryAfter says when to make it.
type Sender interface {
	Send(ctx context.Context, o dropcap.Occurrence) error
}

// Output is a bounded queue before a Sender. Occurrences leave it in their order.
type Output struct {
	name   string
	sender Sender
	queue  chan dropcap.Occurrence
	warn   func(error)

	mu    sync.Mutex
	count OutputCount
	lost  uint64 // not told of yet
}

// OutputCount is what an output has done so far.
type OutputCount struct {
	Sent    uint64
	Failed  uint64 // attempts
	Dropped uint64
	Queue   int
}

// The bounds of an output: how many occurrences wait, and for how long one is tried.
const (
	mostQueued = 1000
	mostTried  = time.Hour
	firstPause = time.Second
	longPause  = time.Minute
	sendTime   = 15 * time.Second
	// lastSends is how long the outputs may take at the end.
	lastSends = 5 * time.Second
)

// NewOutput returns an output that does nothing before Run. warn takes what goes wrong.
func NewOutput(name string, s Sender, warn func(error)) *Output {
	return &Output{name: name, sender: s, warn: warn, queue: make(chan dropcap.Occurrence,
		mostQueued)}
}

// Name returns its name.
func (o *Output) Name() string { return o.name }

// Count returns what it has done so far.
func (o *Output) Count() OutputCount {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.count
	c.Queue = len(o.queue)
	return c
}

// Tell takes an occurrence. It never blocks: what there is no room for is dropped and counted.
func (o *Output) Tell(x dropcap.Occurrence) {
	select {
	case o.queue <- x:
	default:
		o.drop(nil)
	}
}

func (o *Output) drop(why error) {
	o.mu.Lock()
	o.count.Dropped++
	o.lost++
	first := o.lost == 1
	o.mu.Unlock()
	switch {
	case why != nil:
		o.warn(fmt.Errorf("the %s gave an occurrence up: %w", o.name, why))
	case first:
		o.warn(fmt.Errorf("the %s does not keep up: %d occurrences wait, and others are dropped",
			o.name, mostQueued))
	}
}

// Run sends until ctx ends, and then what is left for at most some seconds.
func (o *Output) Run(ctx context.Context) {
	for {
		select {
		case x := <-o.queue:
			o.deliver(ctx, x)
		case <-ctx.Done():
			o.drain(context.WithoutCancel(ctx))
			return
		}
	}
}

func (o *Output) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastSends)
	defer cancel()
	for {
		select {
		case x := <-o.queue:
			if ctx.Err() != nil || o.send(ctx, x) != nil {
				o.drop(errors.New("the end came before it took it"))
			}
		default:
			return
		}
	}
}

// deliver sends one occurrence, with what was lost before it, again and again until it is taken.
func (o *Output) deliver(ctx context.Context, x dropcap.Occurrence) {
	began, pause := time.Now(), firstPause
	for {
		err := o.send(ctx, x)
		if err == nil {
			o.tellLost(ctx, x)
			return
		}
		wait := pause + rand.N(pause/2) // hosts of a fleet must not all come back at once
		var p interface{ Permanent() bool }
		if errors.As(err, &p) && p.Permanent() {
			o.drop(err)
			return
		}
		if time.Since(began) > mostTried {
			o.drop(fmt.Errorf("after %s: %w", mostTried, err))
			return
		}
		var later interface{ RetryAfter() time.Duration }
		if errors.As(err, &later) {
			wait = max(wait, min(later.RetryAfter(), mostTried))
		}
		if pause == firstPause {
			o.warn(fmt.Errorf("the %s did not take an occurrence, and is tried again: %w", o.name,
				err))
		}
		select {
		case <-ctx.Done():
			// once more, beside the others
			if o.sendLast(ctx, x) != nil {
				o.drop(err)
			}
			return
		case <-time.After(wait):
		}
		pause = min(2*pause, longPause)
	}
}

func (o *Output) sendLast(ctx context.Context, x dropcap.Occurrence) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSends)
	defer cancel()
	return o.send(ctx, x)
}

func (o *Output) send(ctx context.Context, x dropcap.Occurrence) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime)
	defer cancel()
	err := o.sender.Send(ctx, x)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.count.Failed++
		return err
	}
	o.count.Sent++
	return nil
}

// tellLost says how many occurrences were dropped, once the output takes some again. x is one of
// the same host.
func (o *Output) tellLost(ctx context.Context, x dropcap.Occurrence) {
	o.mu.Lock()
	n := o.lost
	o.mu.Unlock()
	if n == 0 {
		return
	}
	err := o.send(ctx, dropcap.Occurrence{
		Schema: dropcap.SchemaOccurrence, ID: x.ID[:len(x.ID)/2] + "00000000", Host: x.Host,
		At: time.Now().UTC().Format(time.RFC3339), HostName: x.HostName,
		Kind: dropcap.OccurrenceLost, Severity: "medium", Count: n,
		Because: fmt.Sprintf("%s not told here: the %s did not take them",
			printable.Count(int(n), "occurrence"), o.name),
		Fix: "dropcap audit shows how all containers stand",
	})
	if err == nil {
		o.mu.Lock()
		o.lost -= n
		o.mu.Unlock()
	}
}
