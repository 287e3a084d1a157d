package render

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/printable"
)

// fleetChanges writes a row for each change, host by host.
func fleetChanges(w io.Writer, format string, f dropcap.Fleet, o Options) error {
	rows := []Change{}
	g := grid{columns: append(append([]column{nodeColumn}, changeColumns()...),
		column{"BECAUSE", 12})}
	hosts, states := 0, map[dropcap.ChangeState]int{}
	for d, r := range foreign.Read(f, foreign.Changes) {
		if r.Failure != nil {
			continue
		}
		hosts++
		for _, x := range r.Document.Changes {
			if isTemplate(format) {
				rows = append(rows, newChange(x, o))
				continue
			}
			states[x.State]++
			g.add(append(append([]cell{nodeCell(d.Host, o)}, changeCells(x, o)...),
				cell{x.Because, plain})...)
		}
	}
	if isTemplate(format) {
		return writeRows(w, format, rows)
	}
	failures := foreign.Failed(f, foreign.Changes)
	return writeFleetGrid(w, g, fleetSummary(hosts, changeCount(states), len(failures)), failures,
		o)
}

// changeCount returns "5 changes: 4 applied, 1 rolled-back".
func changeCount(states map[dropcap.ChangeState]int) string {
	all := 0
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(states)) {
		all += states[s]
		parts = append(parts, fmt.Sprintf("%d %s", states[s], s))
	}
	if all == 0 {
		return printable.Count(0, "change")
	}
	return printable.Count(all, "change") + ": " + strings.Join(parts, ", ")
}
