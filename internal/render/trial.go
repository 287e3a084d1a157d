package render

import (
	"fmt"
	"io"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// TrialTable writes trials for a person, a line each.
func TrialTable(w io.Writer, t dropcap.Trials, o Options) error {
	g := grid{columns: []column{{"TRIAL", 0}, {"CONTAINER", 12}, {"STATE", 0}, {"DENIED", 12},
		{"LIFTED", 12}, {"BEGAN", 0}, {"TRIED", 0}, {"BECAUSE", 12}}}
	for _, x := range t.Trials {
		g.add(cell{x.ID, plain}, cell{x.Name, plain}, cell{string(x.State), trialStyle(x)},
			cell{list(withoutHarm(x), o.NoTrunc), plain}, cell{list(lifted(x), o.NoTrunc), plain},
			cell{ago(x.Since, o), plain}, cell{triedSpan(x), plain}, cell{x.Because, plain})
	}
	var b strings.Builder
	if len(t.Trials) == 0 {
		b.WriteString("Nothing has been tried yet.\n")
	} else {
		g.write(&b, g.fit(o).Width, o.Color)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Trials writes trials for a person, with all that each has shown.
func Trials(w io.Writer, t dropcap.Trials, o Options) error {
	var b strings.Builder
	for i, x := range t.Trials {
		if i > 0 {
			b.WriteByte('\n')
		}
		writeTrial(&b, x, o)
	}
	if len(t.Trials) == 0 {
		b.WriteString("There is no such trial.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeTrial(b *strings.Builder, x dropcap.Trial, o Options) {
	fmt.Fprintf(b, "%s: %s, %s\n", bold.paint(visible(x.Name), o.Color), triedFact(x),
		trialStyle(x).paint(visible(string(x.State)), o.Color))
	line := func(head, text string) { writeLine(b, head, text, plain, o) }
	line("trial", x.ID)
	line("workload", x.Workload)
	line("why", x.Because)
	if !x.State.Over() {
		line("until", x.Until)
	}
	head := "no harm"
	if !x.State.Over() {
		head = "denied"
	}
	line(head, withoutHarm(x).Short())
	for _, l := range x.Lifted {
		text := l.Caps.Short() + ": " + l.Because
		if l.Started {
			text += "; it had started under the trial: restart it to be sure that nothing is missing"
		}
		line("lifted", text)
	}
	for _, n := range x.Denials {
		if n.Harmless {
			line("harmless", fmt.Sprintf("%s, %s, denied %s: %s", n.Cap.Short(), n.Class,
				printable.Count(int(min(n.Count, 1<<40)), "time"), doers(n)))
		}
	}
	if x.Lost > 0 {
		line("lost", fmt.Sprintf("%d denied checks are not known: this trial does not count",
			x.Lost))
	}
	for _, u := range x.Unshown {
		if withoutHarm(x).Has(u.Cap) {
			line("not shown", u.Cap.Short()+": "+u.Because)
		}
	}
}

// withoutHarm is what a trial denied until its end, or still denies.
func withoutHarm(x dropcap.Trial) caps.Set { return x.Asked.Minus(lifted(x)) }

func lifted(x dropcap.Trial) (s caps.Set) {
	for _, l := range x.Lifted {
		s |= l.Caps
	}
	return s
}

// triedFact is "tried 24h00m, 3 starts, 0 denied".
func triedFact(x dropcap.Trial) string {
	var denied uint64
	for _, n := range x.Denials {
		denied += min(n.Count, 1<<40)
	}
	return fmt.Sprintf("tried %s, %s, %d denied", triedSpan(x), printable.Count(x.Starts, "start"),
		denied)
}

func triedSpan(x dropcap.Trial) string {
	switch s := max(x.Seconds, 0); {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm", s/60)
	default:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
}

func trialStyle(x dropcap.Trial) style {
	switch x.State {
	case dropcap.TrialDone:
		return verdictStyle(dropcap.Pass)
	case dropcap.TrialLifted, dropcap.TrialDied:
		return verdictStyle(dropcap.Fail)
	default:
		return plain
	}
}
