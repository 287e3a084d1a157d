package serve

import (
	"net/http"
	"time"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

// hardenView is the way of one workload to its least set.
type hardenView struct {
	Workload, Waiting, Because, Remedy string
	State, Next                        dropcap.HardenState
	Since, NextAt                      string
	Holds, Required, Dropped           string
	Learned, Tried                     string
	Change                             string
	Timeline                           []eventView
	Wishes                             []wishView
}

// wishView is what a person may ask of it.
type wishView struct{ Key, Name string }

func newHardening(h dropcap.Hardening) hardenView {
	v := hardenView{
		Workload: render.Visible(h.Workload), Waiting: render.Visible(h.Waiting),
		Because: render.Visible(h.Because), Remedy: render.Visible(h.Remedy), State: h.State,
		Next: h.Next, Since: h.Since, NextAt: h.NextAt, Holds: h.Holds.Short(),
		Required: h.Required.Short(), Dropped: h.Dropped.Short(),
		Learned: (time.Duration(h.Learned) * time.Second).String(),
		Tried:   (time.Duration(h.Tried) * time.Second).String(), Change: render.Visible(h.Change),
	}
	for _, e := range h.Timeline {
		v.Timeline = append(v.Timeline, eventView{when(e.At), render.Visible(e.Event)})
	}
	switch h.State {
	case dropcap.HardenPaused:
		v.Wishes = []wishView{{"resume", "Go on"}, {"stop", "Stop it"}}
	case dropcap.HardenApproval:
		v.Wishes = []wishView{{"approve", "Approve the change"}, {"pause", "Pause"},
			{"stop", "Stop it"}}
	case dropcap.HardenDone, dropcap.HardenStopped, dropcap.HardenGone:
	default:
		v.Wishes = []wishView{{"pause", "Pause"}, {"stop", "Stop it"}}
	}
	return v
}

// wishes are what a form may ask, and nothing else is.
var wishes = map[string]host.HardenWish{
	"pause": host.HardenPause, "resume": host.HardenResume, "stop": host.HardenStop,
	"approve": host.HardenApprove,
}

type hardenPage struct {
	List    []hardenView
	Service bool // somebody carries them on
}

// hardenings lists the workloads that are on their way.
func (s *Server) hardenings(w http.ResponseWriter, r *http.Request) {
	doc, err := s.asking().Hardenings(r.Context(), nil)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	p := hardenPage{Service: s.kept() && s.asking().HardeningElsewhere()}
	for _, h := range doc.Hardenings {
		p.List = append(p.List, newHardening(h))
	}
	s.show(w, r, "harden", page{Title: "Hardening", Here: "harden", Topics: topicHistory, Of: p},
		s.live.scene())
}

// wish does to a hardening what a person asks.
func (s *Server) wish(w http.ResponseWriter, r *http.Request) {
	if !s.mayChange(w, r) {
		return
	}
	do, ok := wishes[r.PostFormValue("do")]
	if !ok {
		s.refuse(w, r, http.StatusBadRequest, "cannot do that to a hardening", "")
		return
	}
	name := r.PostFormValue("workload")
	if _, err := s.asking().HardenWished(r.Context(), []string{name}, do); err != nil {
		s.failed(w, r, err)
		return
	}
	s.live.touch(topicHistory)
	http.Redirect(w, r, "/harden", http.StatusSeeOther)
}

// harden puts a container's workload on its way. The service carries it on.
func (s *Server) harden(w http.ResponseWriter, r *http.Request) {
	if !s.mayChange(w, r) {
		return
	}
	c, ok := s.live.scene().container(r.PathValue("name"))
	if !ok {
		s.refuse(w, r, http.StatusNotFound, "cannot find a container "+
			shown(r.PathValue("name")), "")
		return
	}
	q := host.HardenRequest{Names: []string{c.ID}, Settings: dropcap.UsualHardening()}
	q.Settings.Approve = r.PostFormValue("approve") != ""
	if _, err := s.asking().Harden(r.Context(), q); err != nil {
		s.failed(w, r, err)
		return
	}
	s.live.touch(topicHistory)
	http.Redirect(w, r, "/harden", http.StatusSeeOther)
}
