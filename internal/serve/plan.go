package serve

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/host"
	"dropcap/internal/plan"
	"dropcap/internal/render"
)

// plans are the plans that were shown last: only what a person has seen is applied.
type plans struct {
	sync.Mutex
	list []shownPlan
}

type shownPlan struct {
	key     string
	plan    dropcap.Plan
	request host.PlanRequest
}

const mostPlans = 50

func (p *plans) keep(s shownPlan) string {
	s.key = secret()
	p.Lock()
	defer p.Unlock()
	if p.list = append(p.list, s); len(p.list) > mostPlans {
		p.list = p.list[1:]
	}
	return s.key
}

func (p *plans) find(key string) (shownPlan, bool) {
	p.Lock()
	defer p.Unlock()
	for _, s := range p.list {
		if key != "" && same(s.key, key) {
			return s, true
		}
	}
	return shownPlan{}, false
}

type planPage struct {
	Name, At, Key string
	Level         dropcap.Level
	AcceptLow     bool
	Steps         []stepView
	Confirm       string // what has to be typed
	Ready         bool
	Warned        []string
}

type stepView struct {
	Name, Strategy, Promise, Downtime, Layer, Confidence string
	Before, After, Drop                                  string
	Keeps, Warnings                                      []string
	Refused, Hint                                        string
	Refusals                                             []refusalView
	Changes                                              bool
	Source, Apply, Backout                               string
}

type refusalView struct{ Slug, Message, Hint string }

func newStep(s dropcap.Step) stepView {
	v := stepView{
		Name: render.Visible(s.Container.Name), Strategy: string(s.Strategy),
		Promise: render.Visible(s.Promise), Downtime: render.Visible(s.Downtime),
		Layer: render.Carried(s.Layer), Confidence: s.Confidence,
		Before: render.Visible(render.Declaration(s.Before)),
		After:  render.Visible(render.Declaration(s.After)), Drop: s.Drop.Short(),
		Refused: render.Visible(s.Refused), Hint: render.Visible(s.Hint), Changes: s.Changes(),
		Source:  render.VisibleLines(s.Commands.Source),
		Apply:   render.VisibleLines(render.Folded(s.Commands.Apply)),
		Backout: render.VisibleLines(render.Folded(s.Commands.Backout)),
	}
	for _, k := range render.Kept(s) {
		v.Keeps = append(v.Keeps, render.Visible(k))
	}
	for _, w := range s.Warnings {
		v.Warnings = append(v.Warnings, render.Visible(w))
	}
	for _, r := range s.Refusals {
		v.Refusals = append(v.Refusals, refusalView{render.Visible(r.Slug),
			render.Visible(r.Message), render.Visible(r.Hint)})
	}
	return v
}

// planOne is the plan of one container: what would go, what stays, how, and by hand.
func (s *Server) planOne(w http.ResponseWriter, r *http.Request) {
	sc := s.live.scene()
	c, ok := sc.container(r.PathValue("name"))
	if !ok {
		s.refuse(w, r, http.StatusNotFound, "cannot find a container "+
			shown(r.PathValue("name")), "it may have been removed; the overview has all there are")
		return
	}
	leave, err := s.look(r.Context())
	if err != nil {
		s.failed(w, r, err)
		return
	}
	defer leave()
	level := dropcap.Level(r.URL.Query().Get("level"))
	if level != dropcap.LevelCIS {
		level = dropcap.LevelLeast
	}
	p := planPage{Name: render.Visible(c.Name), At: sc.rowOf(c.ID).At, Level: level,
		AcceptLow: r.URL.Query().Get("accept") == "low", Confirm: c.Name}
	q := host.PlanRequest{SeeRequest: host.SeeRequest{Names: []string{c.ID}}, Policy: sc.policy,
		Options: plan.Options{AcceptLow: p.AcceptLow}}
	q.Policy.Level = level
	o := &troubles{}
	planned, err := s.config.Host(o).Plan(r.Context(), q)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if t := o.take(); t != "" {
		p.Warned = append(p.Warned, t)
	}
	for _, step := range planned.Plan.Steps {
		p.Steps = append(p.Steps, newStep(step))
		p.Ready = p.Ready || step.Refused == "" && step.Changes()
	}
	if s.config.Changes && p.Ready {
		p.Key = s.plans.keep(shownPlan{plan: planned.Plan, request: q})
	}
	s.show(w, r, "plan", page{Title: "Plan for " + p.Name, Here: "overview", Topics: topicWork,
		Of: p}, sc)
}

// look waits for its turn to ask the host at some length.
func (s *Server) look(ctx context.Context) (leave func(), err error) {
	select {
	case s.looking <- struct{}{}:
		return func() { <-s.looking }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(bodyTime):
		return nil, dropcap.Errorf(dropcap.CodeError, "try again in a moment",
			"cannot look now: others are asking already")
	}
}

// mayChange refuses where the server only shows.
func (s *Server) mayChange(w http.ResponseWriter, r *http.Request) bool {
	if !s.config.Changes {
		s.refuse(w, r, http.StatusForbidden, "cannot change anything from this page",
			"start it with --allow-changes")
	}
	return s.config.Changes
}

// apply changes the container of a plan that was shown.
func (s *Server) apply(w http.ResponseWriter, r *http.Request) {
	if !s.mayChange(w, r) {
		return
	}
	kept, ok := s.plans.find(r.PostFormValue("plan"))
	if !ok || len(kept.plan.Steps) == 0 {
		s.refuse(w, r, http.StatusConflict, "cannot find that plan any more",
			"plan again: only what was shown last is applied")
		return
	}
	name := kept.plan.Steps[0].Container.Name
	if typed := strings.TrimSpace(r.PostFormValue("confirm")); typed != name {
		s.refuse(w, r, http.StatusBadRequest, "cannot change "+shown(name)+
			": its name was not typed as it is", "go back, and type it into the field")
		return
	}
	soak, err := strconv.Atoi(cmp.Or(r.PostFormValue("soak"), "5"))
	probe, fits := apply.Split(r.PostFormValue("probe"))
	if err != nil || soak < 0 || soak > 3600 || !fits {
		s.refuse(w, r, http.StatusBadRequest, "cannot read how long to watch it, or the probe",
			"seconds up to 3600; a program and its arguments, quoted as for a shell")
		return
	}
	q := host.ApplyRequest{PlanRequest: kept.request, Saved: &kept.plan, Gate: apply.Gate{
		Soak: time.Duration(soak) * time.Second, ProbeExec: probe},
		CallTimeout: host.DefaultCallTimeout}
	q.Names = nil
	s.begin(w, r, "Change "+render.Visible(name), name,
		func(ctx context.Context, o host.Observer) (host.Changed, error) {
			return s.config.Host(o).Apply(ctx, q)
		})
}

// begin starts a change, and leads to its page; a second one is told of the first.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, what, names string,
	do func(context.Context, host.Observer) (host.Changed, error)) {
	number, err := s.work.begin(what, names, do)
	if errors.Is(err, errBusy) {
		j, _ := s.work.last()
		s.refuse(w, r, http.StatusConflict, "cannot change anything now: "+
			render.Visible(strings.ToLower(j.What[:1])+j.What[1:])+" is under way",
			"one change at a time: see its page, and come back when it is over")
		return
	}
	s.live.touch(topicWork)
	http.Redirect(w, r, "/work/"+strconv.Itoa(number), http.StatusSeeOther)
}

// backout takes a change back.
func (s *Server) backout(w http.ResponseWriter, r *http.Request) {
	if !s.mayChange(w, r) {
		return
	}
	id := r.PathValue("id")
	doc, err := s.asking().History(r.Context(), host.HistoryRequest{Name: id})
	if err != nil || len(doc.Changes) != 1 {
		s.refuse(w, r, http.StatusNotFound, "cannot find the change "+shown(id), "")
		return
	}
	c := doc.Changes[0]
	if typed := strings.TrimSpace(r.PostFormValue("confirm")); typed != c.Name {
		s.refuse(w, r, http.StatusBadRequest, "cannot take back the change of "+shown(c.Name)+
			": its name was not typed as it is", "go back, and type it into the field")
		return
	}
	s.begin(w, r, "Take back the change of "+render.Visible(c.Title()), c.Name,
		func(ctx context.Context, o host.Observer) (host.Changed, error) {
			return s.config.Host(o).Backout(ctx, host.BackoutRequest{Name: c.ID,
				CallTimeout: host.DefaultCallTimeout})
		})
}

// stop has a change that is under way put back.
func (s *Server) stop(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || !s.work.stop(number) {
		s.refuse(w, r, http.StatusConflict, "cannot stop that: it is over",
			"its page says how it ended; a change that was applied can be backed out")
		return
	}
	s.live.touch(topicWork)
	http.Redirect(w, r, "/work/"+strconv.Itoa(number), http.StatusSeeOther)
}

type workPage struct {
	job
	Lines   []line
	Done    []changeView
	Message string
	Hint    string
}

// working shows a change as it goes.
func (s *Server) working(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.PathValue("number"))
	j, ok := s.work.job(number)
	if !ok {
		s.refuse(w, r, http.StatusNotFound, "cannot find that any more",
			"the history has all changes")
		return
	}
	sc := s.live.scene()
	p := workPage{job: j, Lines: s.live.linesOf(number, sc.version), Done: changeViews(j.Changes)}
	if j.Err != nil {
		p.Message, p.Hint = render.Visible(j.Err.Message), render.Visible(j.Err.Hint)
	}
	of := page{Title: j.What, Here: "history", Topics: topicWork, Of: p}
	if j.Running() {
		of.Refresh = 2
	}
	s.show(w, r, "work", of, sc)
}

// linesOf returns the lines of a job up to a version; the stream has the later ones.
func (v *live) linesOf(number int, until uint64) (list []line) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, l := range v.lines {
		if l.Of == number && l.version <= until {
			list = append(list, l)
		}
	}
	return list
}
