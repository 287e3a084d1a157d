package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropcap"
)

// receiver is a Sender that answers as a test says.
type receiver struct {
	mu     sync.Mutex
	answer error
	got    []dropcap.Occurrence
	tries  []time.Time
}

func (r *receiver) Send(_ context.Context, o dropcap.Occurrence) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries = append(r.tries, time.Now())
	if r.answer == nil {
		r.got = append(r.got, o)
	}
	return r.answer
}

// seen returns what it got, and when it was tried.
func (r *receiver) seen() ([]dropcap.Occurrence, []time.Time) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got), slices.Clone(r.tries)
}

func (r *receiver) answers(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = err
}

type refusal struct{ after time.Duration }

func (r refusal) Error() string             { return "no" }
func (r refusal) Permanent() bool           { return r.after == 0 }
func (r refusal) RetryAfter() time.Duration { return r.after }

// sendingTo runs an output in a bubble.
func sendingTo(t *testing.T, r *receiver, do func(o *Output, warned func() []string, end func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var warned []string
		o := NewOutput("webhook", r, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			warned = append(warned, err.Error())
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() { o.Run(ctx); close(done) }()
		do(o, func() []string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(warned)
		}, func() { cancel(); <-done })
		cancel()
		<-done
	})
}

func numbered(i int) dropcap.Occurrence {
	return dropcap.Occurrence{ID: fmt.Sprintf("%016d", i), Host: "h"}
}

func TestWhatAnOutputDoesNotTakeIsTriedAgainInOrder(t *testing.T) {
	r := &receiver{answer: errors.New("down")}
	sendingTo(t, r, func(o *Output, warned func() []string, _ func()) {
		for i := range 3 {
			o.Tell(numbered(i))
		}
		// Time is under test: an outage
		time.Sleep(20 * time.Minute)
		r.answers(nil)
		// Time is under test: the longest pause
		time.Sleep(2 * time.Minute)
		got, tries := r.seen()
		c := o.Count()
		if len(got) != 3 || got[0].ID != numbered(0).ID || got[2].ID != numbered(2).ID ||
			c.Sent != 3 || c.Dropped != 0 || c.Queue != 0 || c.Failed == 0 {
			t.Errorf("%+v, %+v", got, c)
		}
		if n := len(tries); n > 60 { // a pause of up to a minute and a half
			t.Errorf("%d attempts in 20 minutes", n)
		}
		if w := warned(); len(w) != 1 || !strings.Contains(w[0], "down") {
			t.Errorf("warned %q", w)
		}
	})
}

// A receiver that is down for hours costs no memory: what does not fit is dropped, counted and
// told.
func TestAnOutputIsBounded(t *testing.T) {
	r := &receiver{answer: errors.New("down")}
	sendingTo(t, r, func(o *Output, _ func() []string, _ func()) {
		for i := range 5000 {
			o.Tell(numbered(i))
		}
		if c := o.Count(); c.Queue > mostQueued || c.Dropped < 3999 {
			t.Errorf("%+v", c)
		}
		r.answers(nil)
		// Time is under test: the longest pause
		time.Sleep(2 * time.Minute)
		got, _ := r.seen()
		c := o.Count()
		var lost uint64
		for _, o := range got {
			if o.Kind == dropcap.OccurrenceLost {
				lost += o.Count
			}
		}
		if lost != c.Dropped || uint64(len(got))+c.Dropped != 5001 {
			t.Errorf("%d got, %d told as lost, %+v", len(got), lost, c)
		}
	})
}

func TestARefusalIsNotRepeated(t *testing.T) {
	r := &receiver{answer: refusal{}}
	sendingTo(t, r, func(o *Output, warned func() []string, _ func()) {
		o.Tell(numbered(1))
		// Time is under test: nothing more is tried
		time.Sleep(time.Hour)
		_, tries := r.seen()
		if w := warned(); len(tries) != 1 || o.Count().Dropped != 1 || len(w) != 1 {
			t.Errorf("%d attempts, %+v, warned %q", len(tries), o.Count(), w)
		}
	})
}

func TestAReceiverIsLeftAloneForAsLongAsItWants(t *testing.T) {
	r := &receiver{answer: refusal{after: 5 * time.Minute}}
	sendingTo(t, r, func(o *Output, _ func() []string, _ func()) {
		o.Tell(numbered(1))
		// Time is under test: two waits of five minutes
		time.Sleep(11 * time.Minute)
		if _, tries := r.seen(); len(tries) != 3 {
			t.Errorf("tried at %v", tries)
		}
	})
}

// What is tried in vain for an hour is given up, so that news follow.
func TestWhatIsTriedForLongIsGivenUp(t *testing.T) {
	r := &receiver{answer: errors.New("down")}
	sendingTo(t, r, func(o *Output, _ func() []string, _ func()) {
		o.Tell(numbered(1))
		o.Tell(numbered(2))
		// Time is under test: the first is given up
		time.Sleep(mostTried + 2*time.Minute)
		r.answers(nil)
		// Time is under test: the longest pause
		time.Sleep(2 * time.Minute)
		if got, _ := r.seen(); len(got) != 2 || got[0].ID != numbered(2).ID ||
			got[1].Kind != dropcap.OccurrenceLost || got[1].Count != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestTheEndSendsWhatIsLeft(t *testing.T) {
	r := &receiver{answer: errors.New("down")}
	sendingTo(t, r, func(o *Output, _ func() []string, end func()) {
		for i := range 5 {
			o.Tell(numbered(i))
		}
		// Time is under test: it waits for the next attempt
		time.Sleep(100 * time.Millisecond)
		r.answers(nil)
		end()
		if c := o.Count(); c.Sent != 5 || c.Dropped != 0 {
			t.Errorf("%+v", c)
		}
	})
}
