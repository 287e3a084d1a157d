package serve

import (
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strings"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/render"
)

// row is a container's row in the overview. Its texts are visible ones.
type row struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	At      string          `json:"at"` // the path of its page
	Image   string          `json:"image"`
	State   string          `json:"state"`
	Verdict dropcap.Verdict `json:"verdict"`
	Holds   string          `json:"holds"`
	Why     string          `json:"why"`
	Search  string          `json:"search"`
	Group   string          `json:"group"` // the workload
	// Cells are the classes of the cells, with a comma between: "d f w,n,x".
	Cells   string `json:"cells"`
	Created string `json:"created"` // RFC 3339: rows are in its order, newest first
	version uint64
}

func (r *row) same(o *row) bool {
	a, b := *r, *o
	a.version, b.version = 0, 0
	return a == b
}

// The classes of what evidence says of a cell, besides those of render.MarkOf: needed, not seen to
// be needed, not known.
const (
	cellNeeded = "w"
	cellUnused = "z"
)

func columnsOf(a dropcap.Audit) []render.Column { return render.Columns(a) }

func shapeOf(columns []render.Column) string {
	var b strings.Builder
	for _, c := range columns {
		fmt.Fprint(&b, c.Name, c.Default, " ")
	}
	return b.String()
}

func newRow(c dropcap.Judged, h dropcap.Host, columns []render.Column, s evidence.Support,
	known, shared bool) *row {
	r := &row{
		ID: c.ID, Name: render.Visible(c.Name), At: address(c.Container, shared),
		Image:   render.Visible(render.ShortImage(c.Image)),
		State:   render.Visible(c.State),
		Verdict: c.Verdict, Holds: render.Holds(c.Container, h),
		Why: render.Visible(strings.Join(render.Rules(c), ", ")), Group: render.Visible(c.Workload),
		Created: render.Visible(c.Created),
	}
	r.Search = strings.ToLower(strings.Join([]string{r.Name, r.Image, r.Group, r.State, r.Why,
		string(c.Verdict), c.ID[:min(12, len(c.ID))]}, " "))
	wrong, accept := render.Found(c.Findings)
	var b strings.Builder
	for i, col := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(render.MarkOf(c.Container, h, col.Cap).Class)
		switch {
		case wrong.Has(col.Cap):
			b.WriteString(" f")
		case accept.Has(col.Cap):
			b.WriteString(" k")
		}
		switch {
		case known && s.Supported.Has(col.Cap):
			b.WriteString(" " + cellNeeded)
		case known && s.Unused.Has(col.Cap):
			b.WriteString(" " + cellUnused)
		}
	}
	r.Cells = b.String()
	return r
}

// signs are the signs of the marks.
var signs = map[byte]string{'d': "●", 'a': "+", 'b': "+", 'x': "○", 'r': "↺", 'n': "·", 'u': "?"}

// Markup is the row's cells: fixed classes and signs, nothing of a container's.
func (r *row) Markup() template.HTML {
	var b strings.Builder
	b.Grow(len(r.Cells) * 8)
	for class := range strings.SplitSeq(r.Cells, ",") {
		if class != "" {
			b.WriteString(`<td class="` + class + `">` + signs[class[0]])
		}
	}
	return template.HTML(b.String())
}

// ordinary matches the names that the engine allows (moby daemon/names/names.go).
var ordinary = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// address is the path of a container's page: by name, which outlives a re-creation, or by id where
// the name is no ordinary one or is shared.
func address(c dropcap.Container, shared bool) string {
	if shared || !ordinary.MatchString(c.Name) {
		return "/container/" + url.PathEscape(c.ID)
	}
	return "/container/" + url.PathEscape(c.Name)
}
