package render

import (
	"io"
	"strings"

	"dropcap"
)

// Report writes what a host offers, one line for each check, and the remedies of what is missing.
func Report(w io.Writer, r dropcap.Report, o Options) error {
	g := grid{columns: []column{{"STATUS", 0}, {"CHECK", 0}, {"NEEDED BY", 0}, {"FOUND", 20}}}
	for _, c := range r.Checks {
		needed := strings.Join(c.Needed, ",")
		g.add(cell{string(c.Status), checkStyle(c.Status)}, cell{c.Name, plain},
			cell{needed, plain}, cell{c.Detail, plain})
	}
	var b strings.Builder
	g.write(&b, o.Width, o.Color)
	for _, c := range r.Checks {
		if c.Status == dropcap.CheckOK || c.Remedy == "" {
			continue
		}
		b.WriteString("\n" + checkStyle(c.Status).paint(visible(c.Name), o.Color) + ": " +
			visible(c.Detail) + "\n")
		b.WriteString("    " + visible(c.Remedy) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func checkStyle(s dropcap.CheckStatus) style {
	switch s {
	case dropcap.CheckOK:
		return verdictStyle(dropcap.Pass)
	case dropcap.CheckMissing:
		return verdictStyle(dropcap.Fail)
	default:
		return verdictStyle(dropcap.Unknown)
	}
}
