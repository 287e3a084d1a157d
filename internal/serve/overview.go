package serve

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/render"
)

// overview is the matrix of containers and capabilities.
func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	sc := s.live.scene()
	columns := columnsOf(sc.audit)
	o := overviewPage{
		Columns: columns, Groups: groups(columns), Rows: sc.rows, Seen: sc.seen,
		Verdicts: verdicts(sc.audit.Summary), Level: sc.audit.Policy.Level,
		Benchmark: render.Visible(render.Benchmark(sc.audit.Control)),
		Policy:    findings(sc.audit.Findings),
		Filter:    render.Visible(r.URL.Query().Get("filter")), Sort: r.URL.Query().Get("sort"),
	}
	o.Rows = sorted(chosen(o.Rows, o.Filter, r.URL.Query()["verdict"]), o.Sort)
	o.Shown = len(o.Rows)
	s.show(w, r, "overview", page{Title: "Overview", Here: "overview", Of: o}, sc)
}

type overviewPage struct {
	Columns      []render.Column
	Groups       []group
	Rows         []*row
	Seen         bool
	Shown        int
	Verdicts     []count
	Level        dropcap.Level
	Benchmark    string
	Policy       []findingView
	Filter, Sort string
}

type group struct {
	Severity caps.Severity
	Span     int
}

func groups(columns []render.Column) (list []group) {
	for _, c := range columns {
		if c.First {
			list = append(list, group{Severity: c.Severity})
		}
		list[len(list)-1].Span++
	}
	return list
}

type count struct {
	Verdict dropcap.Verdict
	N       int
}

func verdicts(s dropcap.Summary) []count {
	return []count{{dropcap.Fail, s.Fail}, {dropcap.Unknown, s.Unknown},
		{dropcap.Mitigated, s.Mitigated}, {dropcap.Waived, s.Waived}, {dropcap.Pass, s.Pass}}
}

// chosen is the filter for a browser without script; with one the page filters by itself.
func chosen(rows []*row, filter string, verdicts []string) []*row {
	terms := strings.Fields(strings.ToLower(filter))
	if len(terms)+len(verdicts) == 0 {
		return rows
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r *row) bool {
		missing := func(t string) bool { return !strings.Contains(r.Search, t) }
		return slices.ContainsFunc(terms, missing) ||
			len(verdicts) > 0 && !slices.Contains(verdicts, string(r.Verdict))
	})
}

// The orders of rows, the first being the usual one: the engine's, newest first.
var badness = map[dropcap.Verdict]int{dropcap.Fail: 0, dropcap.Unknown: 1, dropcap.Mitigated: 2,
	dropcap.Waived: 3, dropcap.Pass: 4}

func sorted(rows []*row, by string) []*row {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b *row) int {
		switch by {
		case "name":
			return cmp.Compare(a.Name, b.Name)
		case "workload":
			return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name))
		case "verdict":
			return cmp.Or(cmp.Compare(badness[a.Verdict], badness[b.Verdict]),
				cmp.Compare(a.Name, b.Name))
		}
		return 0
	})
	return rows
}

type findingView struct {
	Severity caps.Severity
	Rule     dropcap.Rule
	Because  string
	Fix      string
	Accepted string
}

func findings(list []dropcap.Finding) (out []findingView) {
	for _, f := range list {
		out = append(out, findingView{f.Severity, f.Rule, render.Visible(f.Because),
			render.VisibleLines(f.Fix), render.Visible(render.Accepted(f))})
	}
	return out
}
