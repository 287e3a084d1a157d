package cli

import (
	"fmt"

	"dropcap"
	"dropcap/internal/fleet"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// fleetTeller shows how a run goes on: a line for each host of a change, and a counter for the
// rest; where something is waited for, a line a minute tells what, also where nobody sits at a
// terminal.
func (a *app) fleetTeller() func(fleet.Progress) {
	l := &lookTeller{app: a, terminal: isTerminal(a.err)}
	return func(p fleet.Progress) {
		if !wire.Changes(p.Run.Verb) {
			l.tell(p)
			return
		}
		a.clearLine()
		where := fmt.Sprintf("wave %d of %d", p.Wave+1, max(len(p.Run.Waves), 1))
		if p.Run.Verb == "backout" {
			where = "backout" // beside the waves of the run that it takes back
		}
		switch {
		case p.Host != nil:
			fmt.Fprintf(a.err, "%s: %d of %d: %s: %s\n", where, p.Done, p.Total,
				oneLine(p.Host.Host), oneLine(fleet.Tale(*p.Host)))
		case p.Note != "":
			fmt.Fprintf(a.err, "%s: %s\n", where, oneLine(p.Note))
		case p.Run.State != dropcap.RunGoing || p.Total > 0:
			fmt.Fprintf(a.err, "%s: passed\n", where)
		}
	}
}

// lookTeller tells of looks. What hosts have answered is shown once the first of them keeps the
// others waiting.
type lookTeller struct {
	app      *app
	terminal bool
	waits    bool
	shown    int
	answered []string // not shown yet
}

// mostShown is how many hosts' answers are shown meanwhile.
const mostShown = 50

func (l *lookTeller) tell(p fleet.Progress) {
	a := l.app
	switch {
	case p.Host != nil:
		if l.shown+len(l.answered) < mostShown {
			l.answered = append(l.answered, fmt.Sprintf("%s: %s: %s", p.Run.Verb,
				oneLine(p.Host.Host), oneLine(fleet.Tale(*p.Host))))
		}
		if l.waits {
			l.show()
		}
		if l.terminal {
			fmt.Fprintf(a.err, "\r\033[K%s: %d of %s", p.Run.Verb, p.Done,
				printable.Count(p.Total, "host"))
		}
	case p.Waits:
		a.clearLine()
		l.waits = true
		l.show()
		fmt.Fprintf(a.err, "%s: %d of %s: %s\n", p.Run.Verb, p.Done,
			printable.Count(p.Total, "host"), oneLine(p.Note))
	}
}

func (l *lookTeller) show() {
	l.app.clearLine()
	for _, line := range l.answered {
		fmt.Fprintln(l.app.err, line)
	}
	l.shown, l.answered = l.shown+len(l.answered), nil
}
