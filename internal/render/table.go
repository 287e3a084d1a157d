package render

import (
	"io"
	"strings"

	"dropcap"
)

// auditTable is the default: a row per container, the summary, and what to do about each finding.
func auditTable(w io.Writer, a dropcap.Audit, o Options) error {
	if o.Quiet {
		return writeIDs(w, a, o)
	}
	g := grid{columns: []column{{"NAME", 12}, {"IMAGE", 8}, {"STATE", 0}, {"HOLDS", 20}, {"VERDICT", 0}, {"WHY", 12}}}
	for _, c := range a.Containers {
		g.add(
			cell{c.Name, plain}, cell{shortImage(c.Image, o.NoTrunc), plain}, cell{c.State, plain},
			cell{holds(c.Container, a.Host, o.NoTrunc), plain}, verdictCell(c.Verdict), cell{why(c), plain},
		)
	}
	return writeGrid(w, g, a, o)
}

// writeIDs prints one id a line and nothing else, for xargs.
func writeIDs(w io.Writer, a dropcap.Audit, o Options) error {
	var b strings.Builder
	for _, c := range a.Containers {
		b.WriteString(visible(shortID(c.ID, o.NoTrunc)) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeGrid writes the table, the summary and the details in one call, so that a closed pipe is noticed once.
func writeGrid(w io.Writer, g grid, a dropcap.Audit, o Options) error {
	var b strings.Builder
	width := o.Width
	if g.most = 72; o.NoTrunc { // one hostile or very long name must not push all others aside
		width, g.most = 0, 0
	}
	g.write(&b, width, o.Color)
	b.WriteString("\n" + bold.paint(summary(a.Summary), o.Color) + "\n")
	for _, c := range a.Containers {
		writeDetails(&b, c.Name, c.Verdict, c.Findings, o)
		if c.Fix != "" {
			b.WriteString("  " + bold.paint("all at once", o.Color) + "\n")
			writeFix(&b, c.Fix)
		}
	}
	writeDetails(&b, "policy", "", a.Findings, o)
	_, err := io.WriteString(w, b.String())
	return err
}

func verdictCell(v dropcap.Verdict) cell {
	return cell{string(v), verdictStyle(v)}
}

// writeDetails prints the findings of one container, or of the policy, each with its remedy.
func writeDetails(b *strings.Builder, name string, v dropcap.Verdict, list []dropcap.Finding, o Options) {
	if len(list) == 0 {
		return
	}
	b.WriteString("\n" + bold.paint(visible(name), o.Color))
	if v != "" {
		b.WriteString(": " + verdictStyle(v).paint(visible(string(v)), o.Color))
	}
	b.WriteByte('\n')
	for _, f := range list {
		writeFinding(b, f, o)
	}
}

func writeFinding(b *strings.Builder, f dropcap.Finding, o Options) {
	text, head, body := accepted(f), severityStyle(f.Severity), plain
	if text != "" {
		head, body = dim, dim
	}
	b.WriteString("  " + head.paint(visible(string(f.Severity)), o.Color) + " " + body.paint(visible(string(f.Rule)), o.Color) + "\n")
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
