package render

import (
	"fmt"
	"io"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/printable"
)

// fleetEvidence writes a row for each host and workload, as each host reports it. Evidence merged
// over hosts is a document of its own: see Evidence.
func fleetEvidence(w io.Writer, f dropcap.Fleet, o Options) error {
	g := grid{columns: []column{nodeColumn, {"WORKLOAD", 12}, {"REQUIRED", 16}, {"UNUSED", 0},
		{"CONFIDENCE", 0}, {"SEEN", 16}}}
	hosts, low := 0, 0
	for d, r := range foreign.Read(f, foreign.Evidence) {
		if r.Failure != nil {
			continue
		}
		hosts++
		for _, x := range r.Document.Workloads {
			look := plain
			if x.Confidence.Level == dropcap.ConfidenceLow {
				low++
				look = yellow
			}
			g.add(nodeCell(d.Host, o), cell{x.Workload, plain}, cell{x.Required.Short(), plain},
				cell{fmt.Sprint(x.Unused.Len()), plain},
				cell{x.Confidence.Level, look}, cell{sources(x), plain})
		}
	}
	text := printable.Count(len(g.rows), "record")
	if low > 0 {
		text += fmt.Sprintf(", %d of low confidence", low)
	}
	failures := foreign.Failed(f, foreign.Evidence)
	return writeFleetGrid(w, g, fleetSummary(hosts, text, len(failures)), failures, o)
}
