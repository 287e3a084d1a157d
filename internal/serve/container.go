package serve

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

// container is the page of one container.
func (s *Server) container(w http.ResponseWriter, r *http.Request) {
	sc := s.live.scene()
	name := r.PathValue("name")
	c, ok := sc.container(name)
	if !ok {
		s.refuse(w, r, http.StatusNotFound, "cannot find a container "+shown(name),
			"it may have been removed; the overview has all there are")
		return
	}
	p := containerPage{
		Judged: c, ID: c.ID[:min(12, len(c.ID))], Name: render.Visible(c.Name),
		At:       sc.rowOf(c.ID).At,
		Findings: findings(c.Findings), Fix: render.VisibleLines(c.Fix),
		Facts: facts(c, sc), Processes: processes(c),
		Holds: render.Holds(c.Container, sc.audit.Host), Own: retained(c),
	}
	support, known := sc.support[c.ID]
	p.Held = held(sc.explain(c), support, known)
	if known {
		p.Evidence = evidenceOf(support)
	}
	changes, err := s.changesOf(r, c)
	p.Changes = changes
	if err != nil {
		p.Trouble = render.Visible(dropcap.AsError(err).Message)
	}
	if p.Trials, err = s.trialsOf(r, c.Workload); err != nil {
		p.Trouble = render.Visible(dropcap.AsError(err).Message)
	}
	s.show(w, r, "container", page{Title: p.Name, Here: "overview",
		Topics: strings.Join([]string{c.ID, topicEvidence, topicHistory}, " "), Of: p}, sc)
}

type containerPage struct {
	dropcap.Judged
	ID, Name, At string
	Holds, Fix   string
	Own          string // of a retained one: its change
	Findings     []findingView
	Held         []heldView
	Facts        []fact
	Processes    []processView
	Evidence     *evidenceView
	Changes      []changeView
	Trials       []trialView
	Trouble      string
}

type fact struct{ Name, Value string }

type processView struct{ PIDs, Comm, Origin, Held, Effective, UserNS string }

// heldView is one capability of a container: what is granted, what was used, and why it stays.
type heldView struct {
	Cap      caps.Cap
	Name     string
	Severity caps.Severity
	Now      string // effective, regainable, given up
	Because  string
	Kept     string
	Need     string // needed, unused, unknown; empty without evidence
	Evidence string
	Attack   string
	By       []byView
}

type byView struct {
	Exe, From, Call, Site, Phase, Class string
	Count                               uint64
	Last, Because                       string
	Flagged, Trial                      bool
}

func (s scene) rowOf(id string) *row {
	for _, r := range s.rows {
		if r.ID == id {
			return r
		}
	}
	return &row{}
}

func retained(c dropcap.Judged) string { return render.Visible(c.Retained) }

func held(e dropcap.Explanation, s evidence.Support, known bool) (list []heldView) {
	add := func(h dropcap.Held, now string) {
		v := heldView{
			Cap: h.Cap, Name: h.Cap.Short(), Severity: h.Severity, Now: now,
			Because: render.Visible(h.Because), Kept: render.Visible(h.Kept),
			Evidence: render.Visible(h.Evidence), Attack: h.Cap.Knowledge().Attack,
		}
		if known {
			v.Need = needOf(h.Cap, s)
			v.By = by(h.Cap, s.Evidence)
		}
		list = append(list, v)
	}
	for _, h := range e.Holds {
		now := "regainable"
		switch {
		case !e.Container.Kernel.Visible:
			now = "predicted"
		case h.Effective:
			now = "effective"
		}
		add(h, now)
	}
	for _, h := range e.GaveUp {
		add(h, "given up")
	}
	return list
}

func needOf(c caps.Cap, s evidence.Support) string {
	switch {
	case s.Supported.Has(c):
		return "needed"
	case s.Unused.Has(c):
		return "unused"
	}
	return "unknown"
}

// mostBy is how many programs are shown for each need.
const mostBy = 12

func by(c caps.Cap, w dropcap.WorkloadEvidence) (list []byView) {
	for _, n := range w.Needs {
		if n.Cap != c || n.Outcome != dropcap.Granted && !n.Trial {
			continue
		}
		if len(n.By) == 0 {
			list = append(list, byView{Class: string(n.Class), Count: n.Count,
				Last: render.Visible(n.Last), Because: render.Visible(n.Because)})
		}
		for _, b := range n.By {
			list = append(list, byView{
				Exe:  cmp.Or(render.Visible(b.Exe), "?"),
				From: render.Visible(b.ExeFrom), Call: render.Visible(b.Syscall),
				Site: render.Visible(b.Site), Phase: render.Visible(b.Phase),
				Class: string(n.Class), Count: b.Count, Last: render.Visible(n.Last),
				Because: render.Visible(n.Because), Flagged: n.Doubted(), Trial: n.Trial,
			})
		}
	}
	slices.SortStableFunc(list, func(a, b byView) int { return cmp.Compare(b.Count, a.Count) })
	return list[:min(len(list), mostBy)]
}

func facts(c dropcap.Judged, sc scene) []fact {
	all := []fact{
		{"State", c.State}, {"Image", c.Image}, {"Workload", c.Workload},
		{"Owner", render.OwnerTitle(c.Owner)}, {"User", cmp.Or(c.User, "root")},
		{"Declared", render.Declared(c.Declared)},
		{"Network", c.Network}, {"Created", c.Created}, {"Id", c.ID},
		{"User namespace", c.Kernel.UserNS}, {"Not seen", c.Kernel.WhyNot},
		{"Not predicted", c.WhyNot}, {"Not read", c.Unread},
	}
	if c.Kernel.NoNewPrivs {
		all = append(all, fact{"No new privileges", "set for every process"})
	}
	var out []fact
	for _, f := range all {
		if f.Value != "" {
			out = append(out, fact{f.Name, render.Visible(f.Value)})
		}
	}
	return out
}

func processes(c dropcap.Judged) (out []processView) {
	for _, p := range c.Kernel.Processes {
		out = append(out, processView{
			render.PIDs(p.PIDs), render.Visible(p.Comm), render.Visible(p.Origin),
			render.HeldMask(p), render.Visible(p.Effective), render.Visible(p.UserNS),
		})
	}
	return out
}

// changesOf returns the changes of a container and of its workload, newest first.
func (s *Server) changesOf(r *http.Request, c dropcap.Judged) ([]changeView, error) {
	if !s.kept() {
		return nil, nil
	}
	doc, err := s.asking().History(r.Context(), host.HistoryRequest{Name: c.ID})
	if errors.Is(err, dropcap.ErrNotFound) {
		doc, err = s.asking().History(r.Context(), host.HistoryRequest{Name: c.Name})
	}
	if errors.Is(err, dropcap.ErrNotFound) {
		return nil, nil
	}
	return changeViews(doc.Changes), err
}

// asking is the host, for requests that only read.
func (s *Server) asking() *host.Host { return s.config.Host(host.Silent{}) }
