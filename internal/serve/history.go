package serve

import (
	"errors"
	"net/http"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

// changeView is one change.
type changeView struct {
	ID, Title, Workload, Strategy, Plan string
	State                               dropcap.ChangeState
	Over, Able                          bool   // Able: it can be backed out
	Confirm                             string // what has to be typed for that
	Started, Ended, Downtime, Because   string
	Dropped, Was, Is, Before, After     string
	Retained, Logged, Pruned            bool
	Timeline                            []eventView
	Others                              []string
}

type eventView struct{ After, Event string }

func changeViews(list []dropcap.Change) (out []changeView) {
	for _, c := range list {
		out = append(out, newChange(c))
	}
	return out
}

func newChange(c dropcap.Change) changeView {
	v := changeView{
		ID: render.Visible(c.ID), Title: render.Visible(c.Title()),
		Workload: render.Visible(c.Workload), Strategy: string(c.Strategy),
		Plan: render.Visible(c.Plan), State: c.State, Over: c.State.Over(),
		Able: host.CanBeBackedOut(c), Confirm: c.Name, Started: c.Started, Ended: c.Ended,
		Downtime: render.Downtime(c), Because: render.Visible(c.Because),
		Dropped: render.Dropped(c).Short(), Was: render.Visible(render.Declaration(c.Was)),
		Is: render.Visible(render.Declaration(c.Is)), Before: short(c.Before),
		After: short(c.After), Retained: c.Retained() != "", Logged: c.Logged, Pruned: c.Pruned,
	}
	for _, e := range c.Timeline {
		v.Timeline = append(v.Timeline, eventView{render.Elapsed(c.Started, e.At),
			render.Visible(e.Event)})
	}
	for _, o := range c.Others {
		v.Others = append(v.Others, render.Visible(o.Name))
	}
	return v
}

func short(id string) string { return render.Visible(id[:min(12, len(id))]) }

// kept reports whether there is a store: looking makes none.
func (s *Server) kept() bool { return s.asking().StoreStamp() != "" }

// history lists all changes of this host.
func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	var doc dropcap.Changes
	var err error
	if s.kept() {
		doc, err = s.asking().History(r.Context(), host.HistoryRequest{})
	}
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.show(w, r, "history", page{Title: "History", Here: "history",
		Topics: topicHistory + " " + topicWork, Of: changeViews(doc.Changes)}, s.live.scene())
}

// changePage is one change, with its timeline.
func (s *Server) change(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	doc, err := s.asking().History(r.Context(), host.HistoryRequest{Name: id})
	switch {
	case errors.Is(err, dropcap.ErrNotFound) || err == nil && len(doc.Changes) != 1:
		s.refuse(w, r, http.StatusNotFound, "cannot find the change "+shown(id),
			"the history has all there are")
		return
	case err != nil:
		s.failed(w, r, err)
		return
	}
	v := newChange(doc.Changes[0])
	s.show(w, r, "change", page{Title: "Change of " + v.Title, Here: "history",
		Topics: topicHistory + " " + topicWork, Of: v}, s.live.scene())
}
