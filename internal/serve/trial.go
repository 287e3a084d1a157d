package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

// trials are those that this server runs. They end with it: the kernel lets go by itself.
type trials struct {
	context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newTrials() *trials {
	t := &trials{}
	t.Context, t.cancel = context.WithCancel(context.Background())
	return t
}

func (t *trials) end() {
	t.cancel()
	t.wg.Wait()
}

// trialView is one trial.
type trialView struct {
	ID, Name, Workload, Because string
	Kind                        dropcap.TrialKind
	State                       dropcap.TrialState
	Asked, Denied               string
	Since, Until, Ended, Span   string
	Starts                      int
	Lifts, Denials, Unshown     []string
	Lost                        uint64
	Running                     bool
}

func newTrial(t dropcap.Trial) trialView {
	v := trialView{
		ID: render.Visible(t.ID), Name: render.Visible(t.Name),
		Workload: render.Visible(t.Workload), Because: render.Visible(t.Because), Kind: t.Kind,
		State: t.State, Asked: t.Asked.Short(), Denied: t.Denied.Short(), Since: t.Since,
		Until: t.Until, Ended: t.Ended, Span: (time.Duration(t.Seconds) * time.Second).String(),
		Starts: t.Starts, Lost: t.Lost, Running: !t.State.Over(),
	}
	for _, l := range t.Lifted {
		v.Lifts = append(v.Lifts, l.Caps.Short()+": "+render.Visible(l.Because))
	}
	for _, n := range t.Denials {
		v.Denials = append(v.Denials, fmt.Sprintf("%s, %s, %d times: %s", n.Cap.Short(), n.Class,
			n.Count, render.Visible(render.Doers(n))))
	}
	for _, u := range t.Unshown {
		v.Unshown = append(v.Unshown, u.Cap.Short()+": "+render.Visible(u.Because))
	}
	return v
}

// trialsOf returns the trials of a container's workload, or all of an empty one.
func (s *Server) trialsOf(r *http.Request, workload string) (list []trialView, err error) {
	doc, err := s.asking().Trials(r.Context())
	for _, t := range doc.Trials {
		if workload == "" || t.Workload == workload {
			list = append(list, newTrial(t))
		}
	}
	return list, err
}

// trialsPage lists what was, and is, denied for a time.
func (s *Server) trialsPage(w http.ResponseWriter, r *http.Request) {
	list, err := s.trialsOf(r, "")
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.show(w, r, "trials", page{Title: "Trials", Here: "trials", Topics: topicHistory, Of: list},
		s.live.scene())
}

// begun tells the request that began a trial how its beginning went.
type begun struct {
	host.Silent
	began chan struct{}
	once  sync.Once
}

// Progress waits for the beginning.
func (o *begun) Progress(p host.Progress) {
	if _, ok := p.(host.TrialsBegun); ok {
		o.once.Do(func() { close(o.began) })
	}
}

const mostTrial = 14 * 24 * time.Hour

// try denies for a time what a plan would drop.
func (s *Server) try(w http.ResponseWriter, r *http.Request) {
	if !s.mayChange(w, r) {
		return
	}
	sc := s.live.scene()
	c, ok := sc.container(r.PathValue("name"))
	hours, err := strconv.ParseFloat(strings.TrimSpace(r.PostFormValue("hours")), 64)
	span := time.Duration(hours * float64(time.Hour))
	switch {
	case !ok:
		s.refuse(w, r, http.StatusNotFound, "cannot find a container "+
			shown(r.PathValue("name")), "")
		return
	case err != nil || span <= 0 || span > mostTrial:
		s.refuse(w, r, http.StatusBadRequest, "cannot read for how long to try",
			"hours, up to two weeks: 24, or 0.5")
		return
	}
	drop, err := named(r.PostFormValue("drop"))
	if err != nil {
		s.refuse(w, r, http.StatusBadRequest, "cannot read what to deny: "+
			render.Visible(err.Error()), "names with a comma between: NET_RAW, MKNOD")
		return
	}
	q := host.TrialRequest{Drop: drop, Names: []string{c.ID}, Policy: sc.policy, For: span,
		Strict: r.PostFormValue("strict") != "", Tolerant: r.PostFormValue("tolerant") != ""}
	if q.Policy.Level = dropcap.Level(r.PostFormValue("level")); q.Policy.Level == "" {
		q.Policy.Level = dropcap.LevelLeast
	}
	o := &begun{began: make(chan struct{})}
	failed := make(chan error, 1)
	s.trials.wg.Go(func() {
		_, _, err := s.config.Host(o).Trial(s.trials, q)
		failed <- err
		s.live.touch(topicHistory, topicEvidence)
	})
	select {
	case <-o.began:
	case err = <-failed:
	case <-r.Context().Done():
		return // it goes on, and its page shows it
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		s.failed(w, r, err)
		return
	}
	s.live.touch(topicHistory)
	http.Redirect(w, r, "/trials", http.StatusSeeOther)
}

// named reads names of capabilities with commas or spaces between; none is the empty set.
func named(text string) (caps.Set, error) {
	return caps.ParseAll(strings.FieldsFunc(text, func(r rune) bool {
		return r == ',' || unicode.IsSpace(r)
	}))
}

// stopTrial ends a trial, whichever process runs it.
func (s *Server) stopTrial(w http.ResponseWriter, r *http.Request) {
	if !s.mayChange(w, r) {
		return
	}
	if _, err := s.asking().StopTrial(r.Context(), []string{r.PathValue("id")}); err != nil {
		s.failed(w, r, err)
		return
	}
	s.live.touch(topicHistory, topicEvidence)
	http.Redirect(w, r, "/trials", http.StatusSeeOther)
}
