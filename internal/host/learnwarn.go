package host

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"dropcap"
	"dropcap/internal/learn"
)

// learnWarnings passes on the warnings of a recording, and notes whether one of them makes it
// incomplete. An interrupt cuts off many requests at once, and is reported once.
type learnWarnings struct {
	observer    Observer
	incomplete  atomic.Bool
	interrupted atomic.Bool
}

func (w *learnWarnings) pass(err error) {
	if errors.Is(err, learn.ErrBlind) || CodeOf(err) == dropcap.CodeIncomplete {
		w.incomplete.Store(true)
	}
	if errors.Is(err, context.Canceled) {
		if w.interrupted.Swap(true) {
			return
		}
		err = errors.New("the end came before the engine had answered everything")
	}
	w.observer.Warn(err)
}

const (
	// warnAgain is after how long a service repeats a warning.
	warnAgain = 10 * time.Minute
	// warningsKept bounds how many warnings a service remembers.
	warningsKept = 1000
)

// repeatedWarnings passes the same warning on once in a while: a full disk is reported, but not
// each time that it is still full.
type repeatedWarnings struct {
	observer Observer
	now      func() time.Time
	mu       sync.Mutex
	last     map[string]time.Time // by the warning's text
}

func (w *repeatedWarnings) pass(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := err.Error()
	var e *dropcap.Error
	if errors.As(err, &e) && e.Hint != "" {
		text = e.Message + " (" + e.Hint + ")" // nobody is there to be given a hint apart
	}
	now := w.now()
	if last, ok := w.last[text]; ok && now.Sub(last) < warnAgain {
		return
	}
	if w.last == nil || len(w.last) >= warningsKept {
		w.last = map[string]time.Time{}
	}
	w.last[text] = now
	w.observer.Warn(errors.New(text))
}
