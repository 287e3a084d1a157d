package host

import (
	"context"

	"dropcap"
)

// Observer gets the reports and questions of a request: a terminal, or a fleet's request. Its
// methods may be called from several goroutines.
type Observer interface {
	// Progress reports the progress of long work. It must not block.
	Progress(p Progress)
	// Warn reports a problem that does not stop the work.
	Warn(err error)
	// Ask asks before something is stopped or changed. A nil error means yes; any other
	// ends the work and is returned from it.
	Ask(ctx context.Context, question string) error
}

// Progress is one of the kinds below.
type Progress interface{ isProgress() }

// Looked reports how many containers have been observed.
type Looked struct{ Done, Total int }

func (Looked) isProgress() {}

// Silent is an Observer that ignores reports and answers every question with no.
type Silent struct{}

// Progress does nothing.
func (Silent) Progress(Progress) {}

// Warn does nothing.
func (Silent) Warn(error) {}

// Ask answers with no.
func (Silent) Ask(_ context.Context, question string) error {
	return dropcap.Errorf(dropcap.CodeUsage, "", "cannot ask: %s", question)
}
