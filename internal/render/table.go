package render

import (
	"io"
	"strings"

	"dropcap"
)

// auditTable is the default: a row for each container, the summary, and what to do about each
// finding.
func auditTable(w io.Writer, s audits, o Options) error {
	if o.Quiet {
		return writeIDs(w, s, o)
	}
	g := grid{columns: s.columns(column{"NAME", 12}, column{"IMAGE", 8}, column{"STATE", 0},
		column{"HOLDS", 20}, column{"VERDICT", 0}, column{"WHY", 12})}
	for d, a := range s.each {
		for _, c := range a.Containers {
			g.add(s.lead(d, o,
				cell{c.Name, plain}, cell{shortImage(c.Image, o.NoTrunc), plain},
				cell{c.State, plain},
				cell{holds(c.Container, a.Host, o.NoTrunc), plain}, verdictCell(c.Verdict),
				cell{why(c), plain},
			)...)
		}
	}
	return writeGrid(w, g, s, o)
}

// writeIDs prints one id on each line and nothing else, for xargs; in a fleet after the host.
func writeIDs(w io.Writer, s audits, o Options) error {
	var b strings.Builder
	for d, a := range s.each {
		for _, c := range a.Containers {
			if s.fleet != nil {
				b.WriteString(visible(nodeCell(d.Host, o).text) + "/")
			}
			b.WriteString(visible(shortID(c.ID, o.NoTrunc)) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeGrid writes the table, the summary and the details in one call, so that a closed pipe is
// noticed once.
func writeGrid(w io.Writer, g grid, s audits, o Options) error {
	var b strings.Builder
	g.write(&b, g.fit(o).Width, o.Color)
	b.WriteString("\n" + bold.paint(s.summary(), o.Color) + "\n")
	for _, k := range s.kinds() {
		k.write(&b, s.fleet != nil, o)
	}
	writeAllAtOnce(&b, s, o)
	writeNext(&b, o.Next, o)
	writeFailures(&b, s.failures, o)
	_, err := io.WriteString(w, b.String())
	return err
}

func verdictCell(v dropcap.Verdict) cell {
	return cell{string(v), verdictStyle(v)}
}

// writeAllAtOnce prints what fixes all findings of a single container.
func writeAllAtOnce(b *strings.Builder, s audits, o Options) {
	fix, n := "", 0
	for _, a := range s.each {
		for _, c := range a.Containers {
			fix = c.Fix
			n++
		}
	}
	if n == 1 && fix != "" {
		b.WriteString("\n" + bold.paint("all at once", o.Color) + "\n")
		writeFix(b, fix)
	}
}

func writeFinding(b *strings.Builder, f dropcap.Finding, o Options) {
	text, head, body := accepted(f), severityStyle(f.Severity), plain
	if text != "" {
		head, body = dim, dim
	}
	b.WriteString("  " + head.paint(visible(string(f.Severity)), o.Color) + " " +
		body.paint(visible(string(f.Rule)), o.Color) + "\n")
	writeIndented(b, visible(f.Because), body, o)
	if text != "" {
		writeIndented(b, visible(text), dim, o)
		return
	}
	writeFix(b, f.Fix)
}

func writeIndented(b *strings.Builder, text string, s style, o Options) {
	for _, line := range wrap(text, max(0, o.Width-4)) {
		b.WriteString("    " + s.paint(line, o.Color) + "\n")
	}
}

// writeFix prints a remedy without wrapping, so that it can be copied.
func writeFix(b *strings.Builder, fix string) {
	if fix == "" {
		return
	}
	for i, line := range visibleLines(fix) {
		lead := "    fix: "
		if i > 0 {
			lead = "         "
		}
		b.WriteString(lead + line + "\n")
	}
}
