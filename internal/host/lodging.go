package host

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/owner"
	"dropcap/internal/plan"
	"dropcap/internal/printable"
	"dropcap/internal/source"
)

// lodging says whether compose makes a dependant again together with what it lives in, as part of
// the same project.
func (p *Planned) lodging(q PlanRequest, provider dropcap.Container, d *plan.Dependant) {
	c := d.Container
	compose := func(c dropcap.Container) bool {
		return owner.Of(c.Owner.Kind).Source == owner.SourceCompose
	}
	theirs, err := source.ReadProject(provider.LabelValues)
	own, ownErr := source.ReadProject(c.LabelValues)
	same := own
	same.Service = theirs.Service
	switch {
	case !compose(c):
		d.Apart = "it is none of the project"
		return
	case d.Links:
		d.Apart = "it would go on being linked to the old one"
		return
	case !compose(provider) || c.Owner.Project != provider.Owner.Project:
		d.Apart = "it is of another project"
		return
	case err != nil:
		d.Follows = slices.Contains(owner.Of(c.Owner.Kind).DependsOn(c.LabelValues),
			provider.Owner.Service)
		return // the files are elsewhere, or not read: that says more
	case ownErr != nil:
		d.Apart = ownErr.Error()
		return
	case !reflect.DeepEqual(same, theirs):
		d.Apart = "compose was called otherwise for it"
		return
	}
	checked, err := p.originals.checkCompose(own)
	if err != nil {
		return
	}
	d.Follows = source.Lodges(checked.All(), own.Service)
	switch {
	case !d.Follows:
		d.Apart = "its file does not name the service in whose namespaces it lives"
	case !c.Running():
		d.Apart = "it does not run, and compose would start it"
	default:
		d.Apart = p.losesAtSource(q, c)
	}
}

// losesAtSource is what speaks against having compose make a container again, other than what
// lives in its namespaces.
func (p *Planned) losesAtSource(q PlanRequest, c dropcap.Container) string {
	injected := func() []string { return p.originals.injected(c.LabelValues) }
	for _, r := range ownRefusals(p.recipes[c.ID], q.recreation(dropcap.StrategySource, c.ID),
		injected) {
		if r.Slug != "sharers" && r.Slug != "linkers" {
			_, why, _ := strings.Cut(r.Message, ": ")
			return why
		}
	}
	return ""
}

// joinLodgers adds the services of a project that live in the namespaces of those that are changed:
// compose makes them again with these. They keep what they are granted.
func (o *originals) joinLodgers(c *apply.Compose) error {
	for i := 0; i < len(c.Services); i++ { // it grows: others may live in those
		for _, m := range membersOf(c.Services[i]) {
			for _, id := range o.dependants(m.ID) {
				if err := o.joinLodger(c, id); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// lodgerScales are the services of the project that compose makes again with a container, since
// they live in its namespaces.
func (o *originals) lodgerScales(project source.Project, id string) (list []source.Scale) {
	for _, d := range o.dependants(id) {
		p, err := source.ReadProject(owner.TrustedLabels(o.labels[d]))
		own := project
		own.Service = p.Service
		if err != nil || !reflect.DeepEqual(p, own) || p.Service == project.Service ||
			slices.ContainsFunc(list, func(s source.Scale) bool { return s.Service == p.Service }) {
			continue
		}
		if n, err := o.replicas(p); err == nil {
			list = append(list, source.Scale{Service: p.Service, Replicas: n})
		}
	}
	return list
}

func (o *originals) joinLodger(c *apply.Compose, id string) error {
	no := &source.Cannot{Slug: "sharers", Why: fmt.Sprintf("compose would not make %s again with "+
		"it, which lives in its namespaces", printable.Line(o.nameOf(id)))}
	p, err := source.ReadProject(owner.TrustedLabels(o.labels[id]))
	own := c.Project
	own.Service = p.Service
	if err != nil || !reflect.DeepEqual(p, own) {
		return no
	}
	if slices.ContainsFunc(c.Services, func(s *apply.Service) bool {
		return s.Service == p.Service
	}) {
		return nil
	}
	grant, err := declaredBy(o.raw[id])
	if err != nil {
		return no
	}
	replicas, err := o.replicas(p)
	if err != nil {
		return &source.Cannot{Slug: "replicas", Service: p.Service, Why: err.Error()}
	}
	c.Services = append(c.Services, &apply.Service{
		Wanted: source.Wanted{Service: p.Service,
			Declaration: source.Declaration{Was: grant, Is: grant}},
		Replicas: replicas, Members: o.members(p),
	})
	return nil
}

// lodgersMayChange refuses where a container of a service that is only made again with another must
// not be.
func (o *originals) lodgersMayChange(ctx context.Context, c *apply.Compose, steps []dropcap.Step,
	discardLayer bool) error {
	for _, one := range c.Services {
		members := membersOf(one)
		if len(members) == 0 || slices.ContainsFunc(steps, func(s dropcap.Step) bool {
			return s.Owner.Service == one.Service
		}) {
			continue
		}
		labels := owner.TrustedLabels(o.labels[members[0].ID])
		if err := o.peers(ctx, labels, "", discardLayer); err != nil {
			return err
		}
	}
	return nil
}

// declaredBy is what a container declares, without what that grants.
func declaredBy(inspect json.RawMessage) (g dropcap.Grant, err error) {
	var b struct {
		HostConfig struct {
			Privileged      bool
			CapAdd, CapDrop []string
		}
	}
	err = json.Unmarshal(inspect, &b)
	return dropcap.Grant{Privileged: b.HostConfig.Privileged, CapAdd: b.HostConfig.CapAdd,
		CapDrop: b.HostConfig.CapDrop}, err
}
