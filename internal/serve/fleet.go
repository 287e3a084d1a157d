package serve

import (
	"context"
	"errors"
	"net/http"

	"dropcap"
	"dropcap/internal/render"
)

// Fleet reads the runs of a controller. It sends nothing.
type Fleet interface {
	// Runs returns all runs, the newest first.
	Runs(ctx context.Context) ([]dropcap.FleetRun, error)
	// Run returns one with its hosts. The error is ErrNotFound if there is none.
	Run(ctx context.Context, id string) (dropcap.FleetRun, []dropcap.FleetHost, error)
	// Stamp changes whenever somebody writes to the controller's store; empty if there is none.
	Stamp() string
}

type runView struct {
	ID, Verb, Because, Of, Backout string
	State                          dropcap.RunState
	Started, Ended                 string
	Hosts                          int
	Targets                        []string
	Changes                        bool
}

func newRun(r dropcap.FleetRun) runView {
	v := runView{ID: render.Visible(r.ID), Verb: render.Visible(r.Verb), State: r.State,
		Because: render.Visible(r.Because), Of: render.Visible(r.Of),
		Backout: render.Visible(r.Backout), Started: r.Started, Ended: r.Ended, Hosts: r.Hosts,
		Changes: r.Verb == "apply"}
	for _, t := range r.Targets {
		v.Targets = append(v.Targets, render.Visible(t))
	}
	return v
}

type waveView struct {
	Number                     int
	State                      dropcap.WaveState
	Hosts, Done, Going, Failed int
	Gate, Ended                string
}

type hostView struct{ Host, Name, Progress, Message string }

type runPage struct {
	runView
	Window string
	Waves  []waveView
	At     []hostView // under way or failed
	More   int
	Causes []causeView
}

type causeView struct {
	render.Cause
	Count int
	Some  []string
}

// mostHosts is how many hosts are shown by name, of each kind.
const mostHosts = 200

// fleetPage lists the runs of this controller.
func (s *Server) fleetPage(w http.ResponseWriter, r *http.Request) {
	var list []runView
	if s.config.Fleet != nil && s.config.Fleet.Stamp() != "" {
		runs, err := s.config.Fleet.Runs(r.Context())
		if err != nil {
			s.failed(w, r, err)
			return
		}
		for _, run := range runs {
			list = append(list, newRun(run))
		}
	}
	s.show(w, r, "fleet", page{Title: "Fleet", Here: "fleet", Topics: topicFleet, Of: list},
		s.live.scene())
}

// run shows how far a run of the fleet is.
func (s *Server) run(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if s.config.Fleet == nil || s.config.Fleet.Stamp() == "" {
		s.refuse(w, r, http.StatusNotFound, "cannot find the run "+shown(id), "")
		return
	}
	run, hosts, err := s.config.Fleet.Run(r.Context(), id)
	switch {
	case errors.Is(err, dropcap.ErrNotFound):
		s.refuse(w, r, http.StatusNotFound, "cannot find the run "+shown(id),
			"the fleet's page has all there are")
		return
	case err != nil:
		s.failed(w, r, err)
		return
	}
	p := runPage{runView: newRun(run), Window: render.Visible(run.Rules.Window),
		Waves: waves(run, hosts)}
	for _, h := range hosts {
		at := hostView{render.Visible(h.Host), render.Visible(h.Name), render.HostProgress(h), ""}
		if h.Failure != nil {
			at.Message = render.Visible(h.Failure.Message)
		}
		switch {
		case at.Progress != "going" && at.Progress != "failed":
		case len(p.At) == mostHosts:
			p.More++
		default:
			p.At = append(p.At, at)
		}
	}
	for _, c := range render.Causes(hosts) {
		v := causeView{Cause: c, Count: len(c.Hosts)}
		for _, h := range c.Hosts[:min(len(c.Hosts), 12)] {
			v.Some = append(v.Some, render.Visible(h))
		}
		p.Causes = append(p.Causes, v)
	}
	s.show(w, r, "run", page{Title: "Run " + p.ID, Here: "fleet", Topics: topicFleet, Of: p},
		s.live.scene())
}

func waves(run dropcap.FleetRun, hosts []dropcap.FleetHost) (list []waveView) {
	for i, w := range run.Waves {
		v := waveView{Number: i + 1, State: w.State, Hosts: len(w.Hosts),
			Gate: render.Visible(w.Gate), Ended: w.Ended}
		for _, h := range hosts {
			if h.Wave != i {
				continue
			}
			switch render.HostProgress(h) {
			case "done":
				v.Done++
			case "going":
				v.Going++
			case "failed":
				v.Failed++
			}
		}
		list = append(list, v)
	}
	return list
}
