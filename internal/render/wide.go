package render

import (
	"io"
	"strings"

	"dropcap"
	"dropcap/internal/owner"
)

// auditWide is the table with everything that decides: the container's owner, its declaration, the
// prediction and the kernel's masks, as in /proc/PID/status.
func auditWide(w io.Writer, s audits, o Options) error {
	if o.Quiet {
		return writeIDs(w, s, o)
	}
	g := grid{columns: s.columns()}
	if s.fleet != nil {
		g.columns = append(g.columns, column{head: "COMPUTER"})
	}
	for _, head := range []string{
		"ID", "NAME", "IMAGE", "STATE", "OWNER", "WORKLOAD", "USER", "ADD", "DROP", "PREDICTED",
		"HELD", "BOUNDING", "EFFECTIVE",
		"NESTED", "USERNS", "NNP", "HOLDS", "VERDICT", "WHY",
	} {
		g.columns = append(g.columns, column{head: head})
	}
	g.columns[len(g.columns)-1].min = 14
	for d, a := range s.each {
		for _, c := range a.Containers {
			row := wideRow(c, a.Host, o)
			if s.fleet != nil {
				row = append([]cell{{orDash(d.Name), plain}}, row...)
			}
			g.add(s.lead(d, o, row...)...)
		}
	}
	return writeGrid(w, g, s, o)
}

func wideRow(c dropcap.Judged, h dropcap.Host, o Options) []cell {
	add := declaredList(c.Declared.Add)
	if c.Declared.Privileged {
		add = "privileged"
	}
	row := []cell{
		{shortID(c.ID, o.NoTrunc), plain}, {c.Name, plain}, {shortImage(c.Image, o.NoTrunc), plain},
		{c.State, plain},
		{orDash(owner.Title(c.Owner)), plain}, {orDash(c.Workload), plain}, {orDash(c.User), plain},
		{add, plain}, {declaredList(c.Declared.Drop), plain},
		{mask(c.Predicted), plain}, {mask(c.Kernel.Holds()), plain},
		{mask(c.Kernel.Bounding), plain}, {mask(c.Kernel.Effective), plain},
		{mask(c.Kernel.Nested), plain}, {orDash(c.Kernel.UserNS), plain},
		{noNewPrivs(c.Kernel), plain},
		{holds(c.Container, h, o.NoTrunc), plain}, verdictCell(c.Verdict), {why(c), plain},
	}
	return row
}

func declaredList(list []string) string { return orDash(strings.Join(list, ",")) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func noNewPrivs(k dropcap.Kernel) string {
	switch {
	case !k.Visible:
		return "-"
	case k.NoNewPrivs:
		return "yes"
	default:
		return "no"
	}
}
