package serve

import (
	"fmt"
	"net/http"
	"time"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/host"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
	"dropcap/internal/render"
)

// evidenceView is the evidence of one workload at one revision.
type evidenceView struct {
	Workload, Revision       string
	Required, Unused, Untold string
	NeededN, UnusedN         int
	Level                    string
	Because                  []string
	Gap                      string // what is missing for more confidence
	Whose                    string
	Seen                     string
	Last                     string
	Lost                     uint64
	Texts                    []text
	Try                      string
}

// text is a recommendation in an owner's language.
type text struct{ Language, Text string }

func evidenceOf(s evidence.Support) *evidenceView {
	v := workloadView(s.Evidence)
	v.Whose, v.Level = render.Visible(s.Because), s.Level
	v.Required, v.Unused, v.Untold = s.Supported.Short(), s.Unused.Short(), s.Untried.Short()
	v.NeededN, v.UnusedN = s.Supported.Len(), s.Unused.Len()
	return &v
}

func workloadView(w dropcap.WorkloadEvidence) evidenceView {
	v := evidenceView{
		Workload: render.Visible(w.Workload), Revision: render.Visible(w.Revision),
		Required: w.Required.Short(), Unused: w.Unused.Short(),
		NeededN: w.Required.Len(), UnusedN: w.Unused.Len(),
		Level: render.Visible(w.Confidence.Level), Try: w.TryWithout.Short(),
	}
	for _, b := range w.Confidence.Because {
		v.Because = append(v.Because, render.Visible(b))
	}
	v.Gap = render.Visible(evidence.Support{Evidence: w, Exact: true}.Gaps().String())
	var starts, stops int
	var seconds int64
	for _, s := range w.Sources {
		starts, stops = starts+s.StartsCold+s.StartsWarm, stops+s.Stops
		seconds, v.Lost = max(seconds, s.Seconds), v.Lost+s.Lost
		v.Last = max(v.Last, s.Until)
	}
	v.Seen = fmt.Sprintf("%s, %s, %s, %s at the longest",
		printable.Count(w.Containers(), "container"), printable.Count(starts, "start"),
		printable.Count(stops, "stop"), time.Duration(seconds)*time.Second)
	list := owner.Recommended(w.Recommended)
	if step, ok := evidence.RecommendCIS(w); ok {
		list = append(list, [2]string{"level cis, the smaller step", owner.RunFlags(step)})
	}
	for _, t := range list {
		v.Texts = append(v.Texts, text{render.Visible(t[0]), render.VisibleLines(t[1])})
	}
	return v
}

// evidence lists what workloads were seen to need.
func (s *Server) evidence(w http.ResponseWriter, r *http.Request) {
	var doc dropcap.Evidence
	var err error
	if s.kept() {
		doc, err = s.asking().Evidence(r.Context(), host.EvidenceRequest{})
	}
	if err != nil {
		s.failed(w, r, err)
		return
	}
	var p evidencePage
	for _, x := range doc.Workloads {
		p.Workloads = append(p.Workloads, workloadView(x))
	}
	p.Learner = s.asking().Busy("learn")
	s.show(w, r, "evidence", page{Title: "Evidence", Here: "evidence", Topics: topicEvidence,
		Of: p}, s.live.scene())
}

type evidencePage struct {
	Workloads []evidenceView
	Learner   string // the process that records; empty if none does
}
