package render

import (
	"fmt"
	"io"
	"strings"

	"dropcap"
	"dropcap/internal/printable"
)

// auditMarkdown writes GitHub-flavoured Markdown, for a pull request's comment or a wiki: the
// summary, a table of containers, and what to do about each finding.
func auditMarkdown(w io.Writer, s audits, o Options) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## Capabilities on %s\n\n", markdownText(s.where()))
	fmt.Fprintf(&b, "**%s**, by %s, level %s.\n\n", markdownText(s.summary()),
		markdownText(benchmark(s.first().Control)), markdownText(s.levels()))
	if s.fleet != nil {
		b.WriteString("| Host | Container | Image | State | Holds | Verdict | Rules " +
			"|\n|---|---|---|---|---|---|---|\n")
	} else {
		b.WriteString("| Container | Image | State | Holds | Verdict | Rules " +
			"|\n|---|---|---|---|---|---|\n")
	}
	for d, a := range s.each {
		for _, c := range a.Containers {
			if s.fleet != nil {
				b.WriteString("| " + markdownText(nodeCell(d.Host, o).text) + " ")
			}
			markdownRow(&b, c.Name, shortImage(c.Image, o.NoTrunc), c.State,
				holds(c.Container, a.Host, o.NoTrunc), markOf(c.Verdict),
				strings.Join(rules(c), ", "))
		}
	}
	for _, m := range s.subjects() {
		markdownFindings(&b, m.title(o), m.findings)
	}
	markdownFailures(&b, s.failures, o)
	_, err := io.WriteString(w, b.String())
	return err
}

func markdownRow(b *strings.Builder, cells ...string) {
	for _, c := range cells {
		b.WriteString("| " + markdownText(c) + " ")
	}
	b.WriteString("|\n")
}

// markOf adds a sign to a verdict, to make a long table easy to scan.
func markOf(v dropcap.Verdict) string {
	signs := map[dropcap.Verdict]string{dropcap.Pass: "✅ ", dropcap.Fail: "❌ ",
		dropcap.Mitigated: "⏸️ ", dropcap.Waived: "➖ ", dropcap.Unknown: "❔ "}
	return signs[v] + string(v)
}

func markdownFindings(b *strings.Builder, name string, list []dropcap.Finding) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n", markdownText(name))
	for _, f := range list {
		fmt.Fprintf(b, "\n**%s** %s: %s\n", markdownText(string(f.Severity)),
			markdownText(string(f.Rule)), markdownText(f.Because))
		if text := accepted(f); text != "" {
			fmt.Fprintf(b, "\n_%s_\n", markdownText(text))
		} else if f.Fix != "" {
			b.WriteString("\n" + markdownCode(strings.Join(visibleLines(f.Fix), "\n")))
		}
	}
}

// markdownFailures is a table of causes.
func markdownFailures(b *strings.Builder, list []dropcap.HostFailure, o Options) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s failed\n\n| Cause | Hosts | What happened | Remedy "+
		"|\n|---|---|---|---|\n", printable.Count(len(list), "host"))
	for _, c := range causes(list) {
		markdownRow(b, c.slug, nodes(c.hosts, o), c.message, c.hint)
	}
}

// hostName returns what a person calls the host.
func hostName(h dropcap.Host) string {
	switch {
	case h.Name != "":
		return h.Name
	case h.ID != "":
		return h.ID
	default:
		return "this host"
	}
}
