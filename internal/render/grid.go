package render

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// grid is a table for a terminal: columns aligned by their width there, the widest ones shortened
// until a row fits.
type grid struct {
	columns []column
	rows    [][]cell
	// the width above which a column that may be shortened is, even if there is room; 0 means no
	// limit
	most int
}

type column struct {
	head string
	min  int // the width below which it is not shortened; 0 means never shortened
}

type cell struct {
	text  string
	style style
}

const gap = "  "

func (g *grid) add(row ...cell) {
	for i := range row {
		row[i].text = visible(row[i].text)
	}
	g.rows = append(g.rows, row)
}

// write prints the head and all rows. Width 0 means no limit.
func (g *grid) write(b *strings.Builder, width int, color bool) {
	widths := g.widths(width)
	head := make([]cell, len(g.columns))
	for i, c := range g.columns {
		head[i] = cell{c.head, bold}
	}
	writeRow(b, head, widths, color)
	for _, r := range g.rows {
		writeRow(b, r, widths, color)
	}
}

func writeRow(b *strings.Builder, row []cell, widths []int, color bool) {
	pad := ""
	for i, c := range row {
		if c.text == "" {
			pad += strings.Repeat(" ", widths[i]) + gap
			continue
		}
		text := shorten(c.text, widths[i])
		b.WriteString(pad + c.style.paint(text, color))
		pad = strings.Repeat(" ", widths[i]-runewidth.StringWidth(text)) + gap
	}
	b.WriteByte('\n') // without padding: nothing follows
}

// widths gives each column what it needs. If that exceeds the limit, it takes from the widest
// columns that may be shortened.
func (g *grid) widths(limit int) []int {
	widths := make([]int, len(g.columns))
	total := len(gap) * (len(widths) - 1)
	for i, c := range g.columns {
		widths[i] = runewidth.StringWidth(c.head)
		for _, r := range g.rows {
			widths[i] = max(widths[i], runewidth.StringWidth(r[i].text))
		}
		if g.most > 0 && c.min > 0 {
			widths[i] = min(widths[i], max(g.most, c.min))
		}
		total += widths[i]
	}
	if limit > 0 {
		total = g.narrow(widths, total-limit, 0)
		g.narrow(widths, total, cramped)
	}
	return widths
}

// cramped is the smallest width of any column on a terminal without room for the minimums.
const cramped = 6

// narrow removes excess columns of the terminal, one at a time, and returns how many it could not.
// A floor, if given, replaces the minimums.
func (g *grid) narrow(widths []int, excess, floor int) int {
	for ; excess > 0; excess-- {
		i := g.widest(widths, floor)
		if i < 0 {
			break
		}
		widths[i]--
	}
	return excess
}

// widest returns the column with the most to spare above its minimum or the floor, -1 if none has
// any.
func (g *grid) widest(widths []int, floor int) int {
	best, most := -1, 0
	for i, c := range g.columns {
		least := c.min
		if floor > 0 {
			least = floor
		}
		if spare := widths[i] - least; c.min > 0 && spare > most {
			best, most = i, spare
		}
	}
	return best
}

// shorten cuts to a width, with an ellipsis.
func shorten(s string, width int) string {
	if runewidth.StringWidth(s) <= width {
		return s
	}
	return runewidth.Truncate(s, width, "…")
}

// wrap breaks a sentence at its spaces; 0 is no limit.
func wrap(s string, width int) []string {
	if width <= 0 {
		return []string{s}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
