package terminal

import (
	"fmt"
	"io"

	"dropcap"
	"dropcap/internal/fleet"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// Fleet shows the progress of a run: a line for each host of a change, and a counter for the rest;
// while it waits, a line a minute says for what, even without a terminal.
func Fleet(w io.Writer) func(fleet.Progress) {
	l := &looks{w: w, terminal: Is(w)}
	return func(p fleet.Progress) {
		if !wire.Changes(p.Run.Verb) {
			l.tell(p)
			return
		}
		ClearLine(w)
		where := fmt.Sprintf("wave %d of %d", p.Wave+1, max(len(p.Run.Waves), 1))
		if p.Run.Verb == "backout" {
			where = "backout" // beside the waves of the run that it takes back
		}
		switch {
		case p.Host != nil:
			fmt.Fprintf(w, "%s: %d of %d: %s: %s\n", where, p.Done, p.Total,
				printable.Line(p.Host.Host), printable.Line(fleet.Describe(*p.Host)))
		case p.Note != "":
			fmt.Fprintf(w, "%s: %s\n", where, printable.Line(p.Note))
		case p.Run.State != dropcap.RunGoing || p.Total > 0:
			fmt.Fprintf(w, "%s: passed\n", where)
		}
	}
}

// looks tells of looks. What hosts have answered is shown once the first of them keeps the
// others waiting.
type looks struct {
	w        io.Writer
	terminal bool
	waits    bool
	shown    int
	answered []string // not shown yet
}

// mostShown is how many hosts' answers are shown meanwhile.
const mostShown = 50

func (l *looks) tell(p fleet.Progress) {
	w := l.w
	switch {
	case p.Host != nil:
		if l.shown+len(l.answered) < mostShown {
			l.answered = append(l.answered, fmt.Sprintf("%s: %s: %s", p.Run.Verb,
				printable.Line(p.Host.Host), printable.Line(fleet.Describe(*p.Host))))
		}
		if l.waits {
			l.show()
		}
		if l.terminal {
			fmt.Fprintf(w, "\r\033[K%s: %d of %s", p.Run.Verb, p.Done,
				printable.Count(p.Total, "host"))
		}
	case p.Waits:
		ClearLine(w)
		l.waits = true
		l.show()
		fmt.Fprintf(w, "%s: %d of %s: %s\n", p.Run.Verb, p.Done,
			printable.Count(p.Total, "host"), printable.Line(p.Note))
	}
}

func (l *looks) show() {
	ClearLine(l.w)
	for _, line := range l.answered {
		fmt.Fprintln(l.w, line)
	}
	l.shown, l.answered = l.shown+len(l.answered), nil
}
