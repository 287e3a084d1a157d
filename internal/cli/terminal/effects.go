package terminal

import (
	"fmt"
	"io"
	"strings"

	"dropcap/internal/apply"
	"dropcap/internal/printable"
)

// Effects shows the effects of a change.
type Effects struct {
	last string
}

// Show shows each effect that changes something as it ends; one that is repeated, such as a probe,
// only when it comes out otherwise.
func (e *Effects) Show(w io.Writer, p apply.Progress) {
	now := fmt.Sprint(p.Container, p.Effect.Name, p.Err)
	if !p.Ended || now == e.last {
		return
	}
	get := p.Effect.Reads()
	if !get {
		e.last = now
	}
	if get || p.Effect.IsNote() || strings.HasPrefix(p.Effect.Name, "probe-exec-") {
		return
	}
	ClearLine(w)
	how := fmt.Sprintf("%.3f s", p.Took.Seconds())
	if p.Err != nil {
		how = "failed: " + p.Err.Error()
	}
	fmt.Fprintf(w, "  %-18s %s: %s\n", p.Effect.Name, printable.Line(p.Effect.Says),
		printable.Line(how))
}
