package node

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// observer keeps what a host reports during a request, and answers its questions with yes: the
// operator who sent the request was asked.
type observer struct {
	log io.Writer

	mu       sync.Mutex
	lines    host.Lines
	messages []string
	warnings []string
	begun    bool // the outcome shows the effect of an interrupt
}

func (o *observer) Progress(p host.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := p.(host.Begun); ok {
		o.begun = true
	}
	if line := strings.TrimSpace(o.lines.Of(p)); line != "" {
		o.keep(line)
	}
}

func (o *observer) Warn(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := printable.Cut(err.Error(), mostMessage)
	o.warnings = last(append(o.warnings, text))
	o.keep(wire.WarningPrefix + text)
}

func (o *observer) Ask(context.Context, string) error { return nil }

func (o *observer) keep(line string) {
	line = printable.Cut(line, mostMessage)
	o.messages = last(append(o.messages, line))
	fmt.Fprintln(o.log, line) // nobody can be told that the log cannot be written
}
