package render

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/printable"
)

var nodeColumn = column{"NODE", 0}

// nodeCell names a host: by the node's id, and by all of "account/region/node" with --no-trunc.
func nodeCell(host string, o Options) cell {
	if o.NoTrunc || strings.Count(host, "/") < 2 { // "account/region" is a place
		return cell{host, plain}
	}
	return cell{dropcap.NodeOf(host), plain}
}

// nodesShown is how many hosts a sentence lists before it counts the rest.
const nodesShown = 5

// nodes names hosts: "i-1, i-2 and 39 more".
func nodes(hosts []string, o Options) string {
	shown := len(hosts)
	if shown > nodesShown && !o.NoTrunc {
		shown = nodesShown
	}
	l := make([]string, shown)
	for i, h := range hosts[:shown] {
		l[i] = visible(nodeCell(h, o).text)
	}
	s := strings.Join(l, ", ")
	if more := len(hosts) - shown; more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// cause groups all failures of one cause with one remedy.
type cause struct {
	slug, hint, message string // the message of the first
	messages            int    // how many different messages there are
	hosts               []string
}

// causes groups failures, the most frequent first.
func causes(list []dropcap.HostFailure) []cause {
	var out []cause
	at := map[[2]string]int{}
	said := map[[3]string]bool{}
	for _, f := range list {
		k := [2]string{f.Cause, f.Hint}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, cause{slug: f.Cause, hint: f.Hint, message: f.Message})
		}
		out[i].hosts = append(out[i].hosts, f.Host)
		if m := [3]string{f.Cause, f.Hint, withoutHost(f)}; !said[m] {
			said[m] = true
			out[i].messages++
		}
	}
	slices.SortStableFunc(out, func(a, b cause) int {
		return cmp.Compare(len(b.hosts), len(a.hosts))
	})
	return out
}

// withoutHost returns a failure's message without the host's own name, so that equal messages are
// grouped.
func withoutHost(f dropcap.HostFailure) string {
	return strings.ReplaceAll(f.Message, dropcap.NodeOf(f.Host), "")
}

// writeFailures writes why some hosts sent nothing, by cause.
func writeFailures(b *strings.Builder, list []dropcap.HostFailure, o Options) {
	if len(list) == 0 {
		return
	}
	b.WriteString("\n" + bold.paint(printable.Count(len(list), "host")+" failed", o.Color) + "\n")
	for _, c := range causes(list) {
		b.WriteString("  " + strong.paint(visible(c.slug), o.Color) + ": " +
			printable.Count(len(c.hosts), "host") + ": " + nodes(c.hosts, o) + "\n")
		text := visible(c.message)
		if c.messages > 1 {
			text += fmt.Sprintf(" (and %s)", printable.Count(c.messages-1, "other message"))
		}
		if c.message != "" {
			writeIndented(b, text, plain, o)
		}
		writeFix(b, c.hint)
	}
}

// writeFleetGrid writes a table of many hosts with the failures below it.
func writeFleetGrid(w io.Writer, g grid, sum string, failures []dropcap.HostFailure,
	o Options) error {
	var b strings.Builder
	o = g.fit(o)
	if len(g.rows) > 0 {
		g.write(&b, o.Width, o.Color)
		b.WriteByte('\n')
	}
	b.WriteString(bold.paint(visible(sum), o.Color) + "\n")
	writeFailures(&b, failures, o)
	_, err := io.WriteString(w, b.String())
	return err
}

// fit limits the width of a table: one hostile or very long name must not push all others aside.
func (g *grid) fit(o Options) Options {
	if g.most = 72; o.NoTrunc {
		o.Width, g.most = 0, 0
	}
	return o
}
