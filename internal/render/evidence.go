package render

import (
	"fmt"
	"io"
	"strings"

	"dropcap"
)

// Evidence writes, for a person, what workloads were seen to need. texts says a workload's recommendation in owners' languages: pairs of
// language and text.
func Evidence(w io.Writer, e dropcap.Evidence, texts func(dropcap.WorkloadEvidence) [][2]string, o Options) error {
	var b strings.Builder
	if len(e.Workloads) == 0 {
		b.WriteString("There is no evidence yet.\n")
	}
	g := grid{columns: []column{{"WORKLOAD", 12}, {"REQUIRED", 16}, {"UNUSED", 0}, {"CONFIDENCE", 0}, {"SEEN", 16}}}
	for _, x := range e.Workloads {
		g.add(cell{x.Workload, plain}, cell{x.Required.Short(), plain}, cell{fmt.Sprint(x.Unused.Len()), plain},
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
		starts, stops, seconds, lost = starts+s.StartsCold+s.StartsWarm, stops+s.Stops, seconds+s.Seconds, lost+s.Lost
	}
	s := fmt.Sprintf("%s, %s, %s, %d s", counted(x.Containers(), "container"), counted(starts, "start"), counted(stops, "stop"), seconds)
	if lost > 0 {
		s += fmt.Sprintf(", %d checks lost", lost)
	}
	return s
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func writeEvidence(b *strings.Builder, x dropcap.WorkloadEvidence, texts func(dropcap.WorkloadEvidence) [][2]string, o Options) {
	b.WriteString("\n" + bold.paint(visible(x.Workload), o.Color) + " " + dim.paint(visible(x.Revision), o.Color) + "\n")
	g := grid{columns: []column{{"  CAPABILITY", 0}, {"CLASS", 0}, {"COUNT", 0}, {"BY", 20}, {"WITHOUT IT", 20}}}
	for _, n := range x.Needs {
		if n.Outcome == dropcap.Denied || !n.Class.Keeps() || !x.Held.Has(n.Cap) {
			continue
		}
		class := string(n.Class)
		if n.Flagged && !n.Approved {
			class += " (flagged)"
		}
		g.add(cell{"  " + n.Cap.Short(), plain}, cell{class, plain}, cell{fmt.Sprint(n.Count), plain}, cell{doers(n), plain}, cell{n.Because, plain})
	}
	if len(g.rows) > 0 {
		g.write(b, o.Width, o.Color)
	}
	if !x.Unused.Empty() {
		b.WriteString("  unused: " + x.Unused.Short() + "\n")
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
	fmt.Fprintf(b, "  confidence: %s: %s\n", visible(x.Confidence.Level), visible(strings.Join(x.Confidence.Because, "; ")))
}

// doers names the program that caused the most checks, with its call, and how many others there are.
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
