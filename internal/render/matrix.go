package render

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// capColumn is a capability's column in the matrix.
type capColumn struct {
	Cap      caps.Cap
	Name     string
	Severity caps.Severity
	About    string
	Default  bool
	First    bool // of its group
}

// capGroup is the columns of one severity.
type capGroup struct {
	Severity caps.Severity
	Span     int
}

// capColumns returns all capabilities that the hosts can grant or anybody holds, the worst first.
func capColumns(s audits) []capColumn {
	var shown, defaults caps.Set
	for _, a := range s.each {
		shown |= shownOn(a)
		if a.Host.Defaults != nil {
			defaults |= *a.Host.Defaults
		}
	}
	var columns []capColumn
	for _, c := range shown.List() {
		k := c.Knowledge()
		columns = append(columns, capColumn{
			Cap: c, Name: c.Short(), Severity: k.Severity, About: k.Attack,
			Default: defaults.Has(c),
		})
	}
	slices.SortStableFunc(columns, func(x, y capColumn) int {
		return y.Severity.Rank() - x.Severity.Rank()
	})
	for i := range columns {
		columns[i].First = i == 0 || columns[i].Severity != columns[i-1].Severity
	}
	return columns
}

func shownOn(a dropcap.Audit) caps.Set {
	shown := caps.DockerDefaults
	if a.Host.Grantable != nil {
		shown = *a.Host.Grantable
	}
	for _, c := range a.Containers {
		if set := c.Holds(); set != nil {
			shown |= *set | c.GaveUp()
		}
	}
	return shown
}

func capGroups(columns []capColumn) []capGroup {
	var groups []capGroup
	for _, c := range columns {
		if c.First {
			groups = append(groups, capGroup{Severity: c.Severity})
		}
		groups[len(groups)-1].Span++
	}
	return groups
}

// mark is the look of a cell: a class for its colour and a sign for its shape; the script turns the
// class into words.
type mark struct{ class, sign string }

var (
	markDefault = mark{"d", "●"} // held by default
	markAdded   = mark{"a", "+"} // added and held, within the defaults
	markBeyond  = mark{"b", "+"} // held beyond the defaults
	markDropped = mark{"x", "○"} // a default that is not held
	markGivenUp = mark{"r", "↺"} // not held, but granted again
	markNone    = mark{"n", "·"}
	markUnknown = mark{"u", "?"}
)

// matrixCells returns a container's row: fixed marks only.
func matrixCells(c dropcap.Judged, h dropcap.Host, columns []capColumn) template.HTML {
	held, gone, added := c.Holds(), c.GaveUp(), named(c.Declared.Add)
	wrong, accept := found(c.Findings)
	var b strings.Builder
	for _, col := range columns {
		m := markUnknown
		switch {
		case gone.Has(col.Cap):
			m = markGivenUp
		case held != nil:
			m = markOfCap(h.Defaults != nil && h.Defaults.Has(col.Cap), held.Has(col.Cap),
				added.Has(col.Cap))
		}
		class := m.class
		if wrong.Has(col.Cap) {
			class += " f"
		} else if accept.Has(col.Cap) {
			class += " k"
		}
		if col.First {
			class += " g"
		}
		fmt.Fprintf(&b, `<td class="%s">%s</td>`, class, m.sign)
	}
	return template.HTML(b.String())
}

func markOfCap(byDefault, held, added bool) mark {
	switch {
	case held && !byDefault:
		return markBeyond
	case held && added:
		return markAdded
	case held:
		return markDefault
	case byDefault:
		return markDropped
	default:
		return markNone
	}
}

// named returns the set of those names that are capabilities.
func named(list []string) caps.Set {
	var s caps.Set
	for _, n := range list {
		if c, err := caps.Parse(n); err == nil {
			s |= caps.Of(c)
		}
	}
	return s
}

// found splits the capabilities in findings into those that count and those that are accepted.
func found(list []dropcap.Finding) (wrong, accept caps.Set) {
	for _, f := range list {
		if accepted(f) != "" {
			accept |= f.Caps
		} else {
			wrong |= f.Caps
		}
	}
	return wrong, accept
}

// pidList joins process numbers; of many it shows the first few.
func pidList(pids []int) string {
	const shown = 8
	s := strings.Trim(fmt.Sprint(pids[:min(shown, len(pids))]), "[]")
	if len(pids) > shown {
		s += fmt.Sprintf(" … (%d)", len(pids))
	}
	return s
}
