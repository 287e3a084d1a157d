package host

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
	"dropcap/internal/source"
)

// composeGroup are the steps of a project that are changed as one: compose was called in the same
// way for all.
type composeGroup struct {
	project source.Project // of the first step
	steps   []dropcap.Step
	done    bool
}

// projects are the groups of a plan.
type projects []*composeGroup

// byCompose reports whether a step is done by compose.
func byCompose(s dropcap.Step) bool {
	return s.Strategy == dropcap.StrategySource &&
		owner.Of(s.Owner.Kind).Source == owner.SourceCompose
}

// composeGroups puts the steps that compose does together, by how it was called for them.
func composeGroups(p Planned, leave func(dropcap.Step, error)) (list projects) {
	for _, s := range p.Plan.Steps {
		if !byCompose(s) || !s.Changes() || s.Refused != "" {
			continue
		}
		project, err := source.ReadProject(owner.TrustedLabels(p.originals.labels[s.Container.ID]))
		if err != nil {
			leave(s, err)
			continue
		}
		if g := list.of(project); g != nil {
			g.steps = append(g.steps, s)
		} else {
			list = append(list, &composeGroup{project: project, steps: []dropcap.Step{s}})
		}
	}
	return list
}

// of is the group whose compose was called in that way; nil if there is none.
func (list projects) of(p source.Project) *composeGroup {
	for _, g := range list {
		if p.Service = g.project.Service; reflect.DeepEqual(p, g.project) {
			return g
		}
	}
	return nil
}

// leftStep is a step that is not done, and why.
type leftStep struct {
	step dropcap.Step
	why  error
}

// job is the one of a step's group; nil for all but the first of its steps.
func (list projects) job(ctx context.Context, j sourcing, p Planned, s dropcap.Step,
	q ApplyRequest) (*apply.Job, []leftStep) {
	at := slices.IndexFunc(list, func(g *composeGroup) bool {
		return slices.ContainsFunc(g.steps, func(o dropcap.Step) bool {
			return o.Container.ID == s.Container.ID
		})
	})
	if at < 0 || list[at].done {
		return nil, nil
	}
	g := list[at]
	for _, earlier := range list {
		if earlier != g && earlier.done && slices.ContainsFunc(g.project.Files,
			func(f string) bool {
				return slices.Contains(earlier.project.Files, f)
			}) {
			g.done = true
			return nil, g.all(dropcap.Errorf(dropcap.CodeError, "apply it by itself afterwards",
				"cannot change it together with %s: compose was called otherwise for that, with "+
					"some of the same files",
				earlier.steps[0].Container.Name))
		}
	}
	g.done = true
	return j.composeJob(ctx, p, g, q)
}

// all leaves each step of a group.
func (g *composeGroup) all(why error) (list []leftStep) {
	for _, s := range g.steps {
		list = append(list, leftStep{s, why})
	}
	return list
}

// composeJob makes one job of the steps of a group: their services are edited, rehearsed, made
// again and proven together. Steps that cannot be among them are left, each with its reason; nil if
// none can be.
func (j sourcing) composeJob(ctx context.Context, p Planned, g *composeGroup,
	q ApplyRequest) (*apply.Job, []leftStep) {
	o, steps := p.originals, g.steps
	var out []leftStep
	steps = slices.DeleteFunc(steps, func(s dropcap.Step) bool {
		err := j.mayChange(ctx, o, s, q.DiscardLayer)
		if err != nil {
			out = append(out, leftStep{s, err})
		}
		return err != nil
	})
	for len(steps) > 0 {
		c, dependencies, err := j.compose(ctx, o, g.project, steps)
		if err == nil {
			err = o.lodgersMayChange(ctx, c, steps, q.DiscardLayer)
		}
		if err == nil {
			job := j.composed(p, steps, c, q)
			if err = j.Ready(ctx, job, dependencies); err == nil || len(c.Services) == 1 {
				return job, out // of a single one the change itself says why not
			}
		}
		var cannot *source.Cannot
		blamed := errors.As(err, &cannot) && cannot.Service != ""
		steps = slices.DeleteFunc(steps, func(s dropcap.Step) bool {
			if blamed && s.Owner.Service != cannot.Service {
				return false
			}
			out = append(out, leftStep{s, err})
			return true
		})
	}
	return nil, out
}

// composed is the job of some services.
func (j sourcing) composed(p Planned, steps []dropcap.Step, c *apply.Compose,
	q ApplyRequest) *apply.Job {
	first := steps[0]
	job := &apply.Job{
		Plan: p.Plan.ID, Host: p.Plan.Host.ID, Step: first, Gate: q.Gate,
		Source:   &apply.Source{Compose: c},
		Original: p.original[first.Container.ID], Recipe: p.recipes[first.Container.ID],
	}
	for _, one := range c.Services {
		at := slices.IndexFunc(steps, func(s dropcap.Step) bool {
			return s.Owner.Service == one.Service
		})
		workload, was, is := p.workloadOf(one), one.Was, one.Is
		if at >= 0 {
			workload, was, is = steps[at].Workload, steps[at].Before, steps[at].After
		}
		for _, m := range membersOf(one) {
			if m.ID != first.Container.ID {
				job.Others = append(job.Others, dropcap.ChangedContainer{
					Workload: workload, Name: m.Name, Before: m.ID, Was: was, Is: is,
				})
			}
		}
	}
	return job
}

// workloadOf is the workload of a service's containers, as far as one was looked at.
func (p Planned) workloadOf(s *apply.Service) string {
	for _, m := range membersOf(s) {
		if c, ok := p.containers[m.ID]; ok {
			return c.Workload
		}
	}
	return ""
}

// membersOf are the service's containers, by name.
func membersOf(s *apply.Service) (list []dropcap.Ref) {
	for _, raw := range s.Members {
		var b struct {
			ID   string `json:"Id"`
			Name string
		}
		if json.Unmarshal(raw, &b) == nil {
			list = append(list, dropcap.Ref{ID: b.ID, Name: strings.TrimPrefix(b.Name, "/")})
		}
	}
	slices.SortFunc(list, func(a, b dropcap.Ref) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// compose edits the files in memory, and has compose say what it makes of the edited copies.
func (j sourcing) compose(ctx context.Context, o *originals, p source.Project,
	steps []dropcap.Step) (*apply.Compose, []source.Scale, error) {
	c := &apply.Compose{Project: p}
	for _, s := range steps {
		w := source.Wanted{Service: s.Owner.Service, Declaration: source.Declaration{Was: s.Before,
			Is: s.After}}
		at := slices.IndexFunc(c.Services, func(one *apply.Service) bool {
			return one.Service == w.Service
		})
		switch {
		case at < 0:
		case !reflect.DeepEqual(c.Services[at].Wanted, w):
			return nil, nil, &source.Cannot{
				Slug: "replicas", Service: w.Service,
				Why: "the containers of " + w.Service +
					" do not declare the same: bring them up to date with docker compose up first",
			}
		default:
			continue
		}
		own := p
		own.Service = w.Service
		replicas, err := o.replicas(own)
		if err != nil {
			return nil, nil, &source.Cannot{Slug: "replicas", Service: w.Service, Why: err.Error()}
		}
		c.Services = append(c.Services, &apply.Service{Wanted: w, Replicas: replicas,
			Members: o.members(own)})
	}
	if err := o.joinLodgers(c); err != nil {
		return nil, nil, err
	}
	c.Project.Service = c.Services[0].Service
	checked, err := o.checkCompose(p)
	if err != nil {
		return nil, nil, err
	}
	c.Given, c.Reads = checked.Given, checked.reads
	if c.Files, err = checked.Edit(c.Wanted()); err != nil {
		return nil, nil, err
	}
	c.Env = j.composeEnv()
	if err := variables(c); err != nil {
		return nil, nil, err
	}
	if c.Program, err = composeProgram(ctx, c.Env); err != nil {
		return nil, nil, err
	}
	dependencies, err := j.verifyCompose(ctx, o, c)
	return c, dependencies, err
}

// variables refuses a service into whose containers compose would write the value of a variable
// that is not set here: it would notice only once the old ones are gone.
func variables(c *apply.Compose) error {
	for _, s := range c.Services {
		for _, i := range source.Injected(c.Given.All(), s.Service) {
			set := i.Variable == "" || slices.ContainsFunc(c.Env, func(v string) bool {
				return strings.HasPrefix(v, i.Variable+"=")
			})
			for _, f := range c.Given.Env {
				set = set || strings.Contains("\n"+string(f.Text), "\n"+i.Variable+"=")
			}
			if !set {
				return &source.Cannot{Slug: "variable", Service: s.Service,
					Why: "the variable " + printable.Line(i.Variable) +
						", of which compose makes " +
						printable.Line(i.Path) +
						" in it, is not set here: set it as it was for compose"}
			}
		}
	}
	return nil
}

// members are the descriptions of the service's containers.
func (o *originals) members(p source.Project) (list []json.RawMessage) {
	for id, l := range o.labels {
		if raw, ok := o.raw[id]; ok && owner.OfService(owner.TrustedLabels(l), p.Name, p.Service) {
			list = append(list, raw)
		}
	}
	return list
}

// verifyCompose compares what compose makes of the files before and after. It returns what the
// services depend on.
func (j sourcing) verifyCompose(ctx context.Context, o *originals,
	c *apply.Compose) ([]source.Scale, error) {
	before, err := j.model(ctx, c, false)
	if err != nil {
		return nil, err
	}
	after, err := j.model(ctx, c, true)
	if err != nil {
		return nil, err
	}
	if err := source.Models(before, after, c.Wanted()); err != nil {
		return nil, err
	}
	var list []source.Scale
	for _, name := range source.Dependencies(after, c.Wanted()) {
		p := c.Project
		p.Service = name
		if n, err := o.replicas(p); err == nil && len(o.members(p)) > 0 {
			list = append(list, source.Scale{Service: name, Replicas: n})
		}
	}
	return list, nil
}
