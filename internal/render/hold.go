package render

import (
	"io"
	"strconv"
	"strings"

	"dropcap"
)

// HoldTable writes holds for a person, a line each.
func HoldTable(w io.Writer, t dropcap.Trials, o Options) error {
	var b strings.Builder
	if len(t.Trials) == 0 {
		b.WriteString("Nothing has been held yet.\n")
	} else {
		writeHolds(&b, t.Trials, o)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeHolds(b *strings.Builder, holds []dropcap.Trial, o Options) {
	g := grid{columns: []column{{"HOLD", 0}, {"WORKLOAD", 12}, {"CONTAINERS", 0}, {"STATE", 0},
		{"DENIED", 12}, {"BEGAN", 0}, {"UNTIL", 0}, {"BECAUSE", 12}}}
	for _, x := range holds {
		until, state := x.Until, plain
		if until == "" {
			until = "released"
		}
		if !x.State.Over() {
			state = verdictStyle(dropcap.Mitigated)
		}
		g.add(cell{x.ID, plain}, cell{x.Workload, plain},
			cell{strconv.Itoa(len(x.Containers)), plain}, cell{string(x.State), state},
			cell{list(x.Asked, o.NoTrunc), plain}, cell{ago(x.Since, o), plain}, cell{until, plain},
			cell{x.Because, plain})
	}
	g.write(b, g.fit(o).Width, o.Color)
}
