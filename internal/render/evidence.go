package render

import (
	"fmt"
	"io"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// Evidence writes, for a person, what workloads needed. texts returns a workload's recommendation
// in owners' languages: pairs of language and text.
func Evidence(w io.Writer, e dropcap.Evidence, texts func(dropcap.WorkloadEvidence) [][2]string,
	o Options) error {
	var b strings.Builder
	if len(e.Workloads) == 0 {
		b.WriteString("There is no evidence yet.\n")
	}
	g := grid{columns: []column{{"WORKLOAD", 12}, {"REQUIRED", 16}, {"UNUSED", 0},
		{"CONFIDENCE", 0}, {"SEEN", 16}}}
	for _, x := range e.Workloads {
		g.add(cell{x.Workload, plain}, cell{x.Required.Short(), plain},
			cell{fmt.Sprint(x.Unused.Len()), plain},
			cell{x.Confidence.Level, plain}, cell{sources(x), plain})
	}
	if len(e.Workloads) > 0 {
		g.write(&b, o.Width, o.Color)
	}
	for _, x := range e.Workloads {
		writeEvidence(&b, x, texts, o)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sources sums up a workload's sources.
func sources(x dropcap.WorkloadEvidence) string {
	var starts, stops int
	var seconds int64
	var lost uint64
	for _, s := range x.Sources {
		if s.Trial != "" {
			continue // a trial is told with the confidence
		}
		starts, stops, seconds, lost = starts+s.StartsCold+s.StartsWarm, stops+s.Stops,
			seconds+s.Seconds, lost+s.Lost
	}
	s := fmt.Sprintf("%s, %s, %s, %d s", printable.Count(x.Containers(), "container"),
		printable.Count(starts, "start"), printable.Count(stops, "stop"), seconds)
	if lost > 0 {
		s += fmt.Sprintf(", %d checks lost", lost)
	}
	return s
}

func writeEvidence(b *strings.Builder, x dropcap.WorkloadEvidence,
	texts func(dropcap.WorkloadEvidence) [][2]string, o Options) {
	b.WriteString("\n" + bold.paint(visible(x.Workload), o.Color) + " " +
		dim.paint(visible(x.Revision), o.Color) + "\n")
	g := grid{columns: []column{{"  CAPABILITY", 0}, {"CLASS", 0}, {"COUNT", 0}, {"BY", 20},
		{"WITHOUT IT", 20}}}
	for _, n := range x.Needs {
		if shown(n, x) {
			g.add(cell{"  " + n.Cap.Short(), plain}, cell{class(n, x), plain},
				cell{fmt.Sprint(n.Count), plain}, cell{doers(n), plain}, cell{n.Because, plain})
		}
	}
	if len(g.rows) > 0 {
		g.write(b, o.Width, o.Color)
	}
	if !x.Unused.Empty() {
		b.WriteString("  unused: " + x.Unused.Short() + "\n")
	}
	doubtful(b, x)
	dissent(b, x)
	if x.Confidence.Level == dropcap.ConfidenceLow {
		b.WriteString("  " + strong.paint("NOT READY: confidence is low, so what follows is only "+
			"what was seen so far. Learn more before you use it.", o.Color) + "\n")
	}
	for _, t := range texts(x) {
		for i, line := range visibleLines(t[1]) {
			lead := t[0] + ":"
			if i > 0 {
				lead = ""
			}
			fmt.Fprintf(b, "  %-11s %s\n", lead, line)
		}
	}
	fmt.Fprintf(b, "  confidence: %s: %s\n", visible(x.Confidence.Level),
		visible(strings.Join(x.Confidence.Because, "; ")))
}

func shown(n dropcap.Need, x dropcap.WorkloadEvidence) bool {
	return n.Used() && n.Class.Keeps() && x.Held.Has(n.Cap)
}

// class returns a need's class, and what it keeps if that is not the capability itself.
func class(n dropcap.Need, x dropcap.WorkloadEvidence) string {
	s := string(n.Class)
	if or := n.Or & x.Held; !or.Empty() {
		s += ": or " + or.Short()
		if !x.Required.Has(n.Cap) && or&x.Required != 0 {
			s += ", which is kept"
		}
	}
	if n.Trial {
		s += ", under trial"
	}
	switch {
	case n.TryWithout && !x.Required.Has(n.Cap) && !n.Doubted():
		s += " (tried: not kept)"
	case n.Approved:
		s += " (approved)"
	case n.Exec:
		s += " (by docker exec: not kept)"
	case n.Flagged && !x.Required.Has(n.Cap):
		s += " (flagged: not kept)"
	case n.Flagged:
		s += " (flagged)"
	}
	return s
}

// doubtful writes what a trial may show to be unneeded, and why.
func doubtful(b *strings.Builder, x dropcap.WorkloadEvidence) {
	for _, c := range x.TryWithout.List() {
		for _, n := range x.Needs {
			if n.Cap == c && n.TryWithout && shown(n, x) {
				fmt.Fprintf(b, "  try without %s: %s\n", c.Short(), visible(n.TryBecause))
				break
			}
		}
	}
}

// dissent writes which capabilities only some of the recordings showed.
func dissent(b *strings.Builder, x dropcap.WorkloadEvidence) {
	all, what := x.Recordings(), "recordings"
	if all == x.Containers() {
		what = "containers"
	}
	most := map[caps.Cap]int{}
	for _, n := range x.Needs {
		if shown(n, x) && n.Class != dropcap.Static && !n.Trial {
			most[n.Cap] = max(most[n.Cap], n.Sources)
		}
	}
	for _, c := range x.Held.List() {
		if n := most[c]; n > 0 && n < all {
			fmt.Fprintf(b, "  dissent: %d of %d %s used %s\n", n, all, what, c.Short())
		}
	}
}

// doers names the program that caused the most checks, with its call, and the number of others.
func doers(n dropcap.Need) string {
	if len(n.By) == 0 {
		return "-"
	}
	first := n.By[0]
	for _, by := range n.By {
		if by.Count > first.Count {
			first = by
		}
	}
	exe := first.Exe
	if exe == "" {
		exe = "?"
	}
	s := exe + " " + first.Syscall
	if first.Phase != "" {
		s += " (" + first.Phase + ")"
	}
	if len(n.By) > 1 {
		s += fmt.Sprintf(" +%d", len(n.By)-1)
	}
	return s
}
