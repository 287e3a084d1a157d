package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/learn"
)

// listener is an Observer that keeps what it is told.
type listener struct {
	mu       sync.Mutex
	progress []Progress
	warnings []string
	asked    []string
	answer   error
}

func (l *listener) Progress(p Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress = append(l.progress, p)
}

func (l *listener) Warn(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.warnings = append(l.warnings, err.Error())
}

func (l *listener) Ask(_ context.Context, question string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, question)
	return l.answer
}

func TestWhatWasNotSeenMakesARecordingIncomplete(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"blind":      {fmt.Errorf("web: %w", learn.ErrBlind), true},
		"unread":     {dropcap.Errorf(dropcap.CodeIncomplete, "", "cannot learn from web"), true},
		"store full": {errors.New("disk full"), false},
	} {
		t.Run(name, func(t *testing.T) {
			heard := &listener{}
			w := &learnWarnings{observer: heard}
			w.pass(c.err)
			if w.incomplete.Load() != c.want ||
				!slices.Equal(heard.warnings, []string{c.err.Error()}) {
				t.Errorf("incomplete: %v, warnings %q", w.incomplete.Load(), heard.warnings)
			}
		})
	}
}

func TestAnInterruptIsReportedOnce(t *testing.T) {
	heard := &listener{}
	w := &learnWarnings{observer: heard}
	w.pass(fmt.Errorf("look at web: %w", context.Canceled))
	w.pass(errors.New("disk full"))
	w.pass(fmt.Errorf("look at db: %w", context.Canceled))
	want := []string{"the end came before the engine had answered everything", "disk full"}
	if !slices.Equal(heard.warnings, want) {
		t.Errorf("warnings %q", heard.warnings)
	}
}

func TestAServiceRepeatsAWarningAfterAWhile(t *testing.T) {
	heard, clock := &listener{}, time.Unix(0, 0)
	w := &repeatedWarnings{observer: heard, now: func() time.Time { return clock }}
	full := dropcap.Errorf(dropcap.CodeError, "make room", "cannot keep evidence")
	for _, wait := range []time.Duration{0, time.Second, warnAgain - 2*time.Second, time.Second} {
		clock = clock.Add(wait)
		w.pass(full)
	}
	want := "cannot keep evidence (make room)"
	if !slices.Equal(heard.warnings, []string{want, want}) {
		t.Errorf("warnings %q", heard.warnings)
	}
	for i := range 3 * warningsKept {
		w.pass(fmt.Errorf("container %d", i))
	}
	if len(w.last) > warningsKept {
		t.Errorf("it remembers %d warnings", len(w.last))
	}
}
