package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
)

// ApplyRequest says what to change, and what the change must pass.
type ApplyRequest struct {
	PlanRequest
	// Saved is a plan from a file. It is untrusted: every step is planned again, and refused if the
	// result differs.
	Saved   *dropcap.Plan
	Gate    apply.Gate
	InPlace InPlaceOptions
	All     bool // go on with the others after one was rolled back
	// Ready applies all that can be applied: it continues like All, and only counts what is
	// refused.
	Ready       bool
	NoWatch     bool // do not watch for denied capability checks
	CallTimeout time.Duration
}

// PlanMade reports the plan to be applied, before the operator is asked.
type PlanMade struct{ Plan dropcap.Plan }

func (PlanMade) isProgress() {}

// Apply plans and changes containers. The document is empty if there was nothing to change.
func (h *Host) Apply(ctx context.Context, q ApplyRequest) (Changed, error) {
	ch, err := h.Change(ctx, q.CallTimeout)
	if err != nil {
		return Changed{}, err
	}
	defer ch.Close()
	jobs, left, err := h.jobs(ctx, ch, q)
	if err != nil {
		return Changed{}, err
	}
	if len(jobs) == 0 {
		h.observer.Progress(Note{"nothing to change"})
		return Changed{Incomplete: left}, nil
	}
	if err := h.observer.Ask(ctx, fmt.Sprintf("Change %s?", namesOf(jobs))); err != nil {
		return Changed{Incomplete: left}, err
	}
	jobs, busy, err := h.awaitExecs(ctx, ch.Session, jobs)
	left = left || busy
	if err != nil || len(jobs) == 0 {
		return Changed{Incomplete: left}, err
	}
	if err := h.endTrials(ctx, ch.Store, containersOf(jobs)); err != nil {
		return Changed{Incomplete: left}, err
	}
	watching, end := h.watch(ctx, q.NoWatch, ch.Store)
	defer end()
	ch.Watcher = watching
	h.observer.Progress(Begun{})
	r, err := h.Outcome(ch.Apply(ctx, jobs, q.All || q.Ready))
	r.Incomplete = r.Incomplete || left
	return r, err
}

// Rehearsed is what would be done to one container. Bodies of calls may hold secrets.
type Rehearsed struct {
	Container string // its name, or the names of all of one step
	Effects   []dropcap.Effect
}

// Rehearse returns the effects that Apply would have, for that version of the engine's API, and has
// none itself.
func (h *Host) Rehearse(ctx context.Context,
	q ApplyRequest) (list []Rehearsed, api string, r Changed, err error) {
	ch, err := h.ChangeOnly(ctx, q.CallTimeout)
	if err != nil {
		return nil, "", r, err
	}
	defer ch.Close()
	h.warnUnfinished(ctx, ch.Store)
	jobs, left, err := h.jobs(ctx, ch, q)
	r.Incomplete = left
	for i := range jobs {
		effects, err := ch.Effects(&jobs[i])
		if err != nil {
			return nil, "", r, err
		}
		list = append(list, Rehearsed{namesOf(jobs[i : i+1]), effects})
	}
	return list, ch.Session.Version(), r, err
}

// jobs plans, and returns what to do. It reports whether a container that should change is left as
// it is.
func (h *Host) jobs(ctx context.Context, ch *Changing,
	q ApplyRequest) (jobs []apply.Job, left bool, err error) {
	var p Planned
	q.agreed = map[string]bool{}
	if q.Saved != nil {
		p, err = h.planSaved(ctx, ch, q)
	} else {
		p, err = h.plan(ctx, ch.Session, ch.Store, q.PlanRequest)
	}
	if err != nil {
		return nil, false, err
	}
	h.observer.Progress(PlanMade{p.Plan})
	leave := func(s dropcap.Step, why, hint string) {
		left = true
		if hint != "" {
			why += " (" + hint + ")"
		}
		h.observer.Warn(fmt.Errorf("%s is left as it is: %s", s.Container.Name, why))
	}
	leaveFor := func(s dropcap.Step, err error) {
		message, hint := sentence(err)
		leave(s, message, hint)
	}
	projects := composeGroups(p, leaveFor)
	for _, s := range p.Plan.Steps {
		switch {
		case s.Refused != "" && q.Ready:
			left = true
		case s.Refused != "":
			leave(s, s.Refused, s.Hint)
		case !s.Changes() || swarmTogether(jobs, s) || isMember(jobs, s):
		case byCompose(s):
			j, not := projects.job(ctx, sourcing{ch}, p, s, q)
			for _, one := range not {
				leaveFor(one.step, one.why)
			}
			if j != nil {
				jobs = append(jobs, *j)
			}
		default:
			j, err := h.job(ctx, ch, p, s, q)
			if err != nil {
				leaveFor(s, err)
				continue
			}
			jobs = append(jobs, j)
		}
	}
	if refused := refusedOf(p.Plan); q.Ready && refused != "" {
		h.observer.Warn(errors.New(refused))
	}
	return jobs, left, nil
}

// refusedOf sums up what a plan refuses: how many containers, and for which reasons.
func refusedOf(p dropcap.Plan) string {
	n, count := 0, map[string]int{}
	for _, s := range p.Steps {
		if s.Refused == "" {
			continue
		}
		n++
		for _, r := range s.Refusals {
			count[r.Slug]++
		}
	}
	if n == 0 {
		return ""
	}
	var reasons []string
	for _, slug := range slices.Sorted(maps.Keys(count)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", slug, count[slug]))
	}
	are := " are left as they are: "
	if n == 1 {
		are = " is left as it is: "
	}
	return fmt.Sprintf("%s%s%s (`dropcap plan --level %s` says why)",
		printable.Count(n, "container"),
		are, strings.Join(reasons, ", "), p.Policy.Level)
}

// swarmTogether reports whether a step is part of an earlier job: a swarm changes all containers of
// a service at once.
func swarmTogether(jobs []apply.Job, s dropcap.Step) bool {
	return s.Strategy == dropcap.StrategySource &&
		owner.Of(s.Owner.Kind).Source == owner.SourceSwarm &&
		slices.ContainsFunc(jobs, func(j apply.Job) bool {
			return j.Step.Strategy == s.Strategy && j.Step.Workload == s.Workload &&
				j.Step.Owner == s.Owner
		})
}

func (h *Host) job(ctx context.Context, ch *Changing, p Planned, s dropcap.Step,
	q ApplyRequest) (j apply.Job, err error) {
	j = apply.Job{
		Plan: p.Plan.ID, Host: p.Plan.Host.ID, Step: s, Gate: q.Gate,
		Original: p.original[s.Container.ID], Recipe: p.recipes[s.Container.ID],
	}
	switch s.Strategy {
	case dropcap.StrategyRecreate:
		j.Members = p.members(s, q)
		j.Carry = j.Recipe.Carries(q.recreation(s.Strategy, s.Container.ID))
	case dropcap.StrategySource:
		j.Source, err = sourcing{ch}.sourceJob(ctx, p.originals, s, q.DiscardLayer)
	case dropcap.StrategyInPlace:
		j.InPlace, err = inPlaceJob(ctx, p.originals, s, q.InPlace)
	}
	return j, err
}

// containersOf are the ids of the containers that jobs change.
func containersOf(jobs []apply.Job) map[string]bool {
	ids := map[string]bool{}
	for _, j := range jobs {
		ids[j.Step.Container.ID] = true
		for _, o := range j.Others {
			ids[o.Before] = true
		}
		for _, m := range j.Members {
			ids[m.Step.Container.ID] = true
		}
	}
	return ids
}

func namesOf(jobs []apply.Job) string {
	var names []string
	for _, j := range jobs {
		names = append(names, j.Step.Container.Name)
		for _, o := range j.Others {
			names = append(names, o.Name)
		}
		for _, m := range j.Members {
			names = append(names, m.Step.Container.Name)
		}
	}
	return strings.Join(names, ", ")
}
