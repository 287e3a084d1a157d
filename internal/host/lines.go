package host

import (
	"fmt"
	"strings"

	"dropcap/internal/apply"
	"dropcap/internal/printable"
)

// Lines formats progress as lines, to be shown or logged.
type Lines struct {
	last    string
	reading bool // it was said that files are being read
}

// Of returns the line of a progress report; empty if it has none.
func (l *Lines) Of(p Progress) string {
	switch p := p.(type) {
	case Effect:
		return l.effect(p.Progress)
	case Recovered:
		return fmt.Sprintf("recovered change %s of %s: %s", p.Change.ID,
			printable.Line(p.Change.Name), p.Change.State)
	case TracerOpened:
		return fmt.Sprintf("learning through %s; evidence goes to %s", p.Hook, p.Store)
	case ImagesLeft:
		if l.reading {
			return ""
		}
		l.reading = true
		return "looking at the files of " + printable.Count(p.Count, "image")
	case Note:
		return printable.Line(p.Text)
	}
	return ""
}

// effect shows each effect that changes something as it ends; one that is repeated, such as a
// probe, only when it comes out otherwise.
func (l *Lines) effect(p apply.Progress) string {
	now := fmt.Sprint(p.Container, p.Effect.Name, p.Err)
	if !p.Ended || now == l.last {
		return ""
	}
	reads := p.Effect.Reads()
	if !reads {
		l.last = now
	}
	if reads || p.Effect.IsNote() || strings.HasPrefix(p.Effect.Name, "probe-exec-") {
		return ""
	}
	how := fmt.Sprintf("%.3f s", p.Took.Seconds())
	if p.Err != nil {
		how = "failed: " + p.Err.Error()
	}
	return fmt.Sprintf("  %-18s %s: %s", p.Effect.Name, printable.Line(p.Effect.Says),
		printable.Line(how))
}
