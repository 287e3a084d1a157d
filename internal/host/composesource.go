package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/plan"
	"dropcap/internal/printable"
	"dropcap/internal/source"
	"dropcap/internal/trust"
)

// sourceOf says how the change of a container is made in its owner's source; nil where that is not
// known.
func (o *originals) sourceOf(c dropcap.Container) func(dropcap.Grant) plan.Source {
	was := dropcap.Grant{Privileged: c.Declared.Privileged, CapAdd: c.Declared.Add,
		CapDrop: c.Declared.Drop}
	return func(g dropcap.Grant) plan.Source {
		d := source.Declaration{Was: was, Is: g}
		k := owner.Of(c.Owner.Kind)
		switch k.Source {
		case owner.SourceCompose:
			return o.composeSource(c, d)
		case owner.SourceUnit:
			return plan.Source{Text: source.UnitText(o.units.Known, c, d)}
		}
		return plan.Source{Text: owner.Text(c, g), Applied: k.Source == owner.SourceSwarm}
	}
}

// composeSource is the change of a compose file. The command that brings it into effect has root
// run what the files say, so that it is printed only where dropcap would run it itself: where the
// files are trusted and compose would touch nobody else.
func (o *originals) composeSource(c dropcap.Container, d source.Declaration) plan.Source {
	refused := func(up, hint string, err error) plan.Source {
		return plan.Source{Text: source.Words(c.Owner.Service, d) + up,
			Against: []plan.Refusal{refusedSource(c, hint, err)}}
	}
	const otherwise = "; or change the container itself with --strategy recreate"
	away := func(s plan.Source, why string) plan.Source {
		s.Away = why
		return s
	}
	project, err := source.ReadProject(c.LabelValues)
	if source.IsAway(err) {
		return away(refused("", "write it where that is made"+otherwise, err),
			"its compose file is not on this host ("+err.Error()+")")
	}
	if err != nil {
		return refused("", "write it there by hand as shown, and have compose make the service "+
			"again"+otherwise, err)
	}
	replicas, err := o.replicas(project)
	if err != nil {
		return refused("", "see to that container first, and plan again"+otherwise, err)
	}
	if file := o.missing(project); file != "" {
		err := fmt.Errorf("there is no %s", printable.Line(file))
		return away(refused("", "write it where that is kept"+otherwise, err),
			"its compose file is not on this host ("+err.Error()+")")
	}
	checked, err := o.checkCompose(project)
	if err != nil {
		return refused("", "whoever can write there decides what compose does as root: mend "+
			"that, and plan again"+otherwise, err)
	}
	up := source.Line(project.Up(append([]source.Scale{{Service: project.Service,
		Replicas: replicas}}, o.lodgerScales(project, c.ID)...)...))
	if checked.Says(project.Service, d) {
		const why = "its compose file says so already, and compose has not made it again since"
		s := refused(up, "run the command, which makes it again as the file says"+otherwise,
			&source.Cannot{Slug: "pending", Why: why})
		s.Text, s.Follows = up, true
		return away(s, why)
	}
	edited, err := checked.Edit([]source.Wanted{{Service: project.Service, Declaration: d}})
	if err == nil {
		return plan.Source{Text: source.Diff(edited, project.Service, d) + up, Applied: true}
	}
	if together, ok := o.composeTogether(project, checked.Given); ok {
		return together
	}
	return refused(up, "write it there by hand as shown and run the command, or plan it together "+
		"with the services that it shares that with"+otherwise, err)
}

// composeTogether is the change of all services of a project for which something is decided: they
// may share what cannot be changed for one of them alone.
func (o *originals) composeTogether(p source.Project, given source.Given) (plan.Source, bool) {
	var wanted []source.Wanted
	var scale []source.Scale
	for _, s := range o.decided {
		theirs, err := source.ReadProject(owner.TrustedLabels(o.labels[s.Container.ID]))
		service := theirs.Service
		theirs.Service = p.Service
		w := source.Wanted{Service: service, Declaration: source.Declaration{Was: s.Before,
			Is: s.After}}
		same := func(o source.Wanted) bool { return o.Service == service }
		if err != nil || !s.Changes() || !reflect.DeepEqual(theirs, p) ||
			slices.ContainsFunc(wanted, same) {
			continue
		}
		theirs.Service = service
		n, err := o.replicas(theirs)
		if err != nil {
			return plan.Source{}, false
		}
		wanted = append(wanted, w)
		for _, one := range append([]source.Scale{{Service: service, Replicas: n}},
			o.lodgerScales(theirs, s.Container.ID)...) {
			if !slices.Contains(scale, one) {
				scale = append(scale, one)
			}
		}
	}
	edited, err := given.Edit(wanted)
	if err != nil || len(wanted) < 2 {
		return plan.Source{}, false
	}
	text := source.Patch(edited, wanted) + source.Line(p.Up(scale...))
	return plan.Source{Text: text, Applied: true}, true
}

// injected are the paths of what compose writes into the containers of a service by itself. Of
// files that are not trusted nothing is known.
func (o *originals) injected(labels map[string]string) (paths []string) {
	p, err := source.ReadProject(labels)
	if err != nil {
		return nil
	}
	checked, err := o.checkCompose(p)
	if err != nil {
		return nil
	}
	for _, i := range source.Injected(checked.All(), p.Service) {
		paths = append(paths, i.Path)
	}
	return paths
}

// missing is the first of the project's files that is not on this host; empty if all are, or if
// that is not known.
func (o *originals) missing(p source.Project) string {
	if !o.isHere() {
		return ""
	}
	for _, f := range p.Files {
		if _, err := os.Lstat(f); errors.Is(err, fs.ErrNotExist) {
			return f
		}
	}
	return ""
}

// replicas is how many containers the service has now: compose is told to keep as many. The error
// names one that only its image's labels make one of them, which compose would take for one and
// change or remove.
func (o *originals) replicas(p source.Project) (int, error) {
	if err := o.darkPeer(owner.ComposeService(p.Name, p.Service)); err != nil {
		return 0, err
	}
	n := 0
	for id, l := range o.labels {
		switch {
		case owner.OfService(owner.TrustedLabels(l), p.Name, p.Service):
			n++
		case owner.OfService(l.Own, p.Name, p.Service):
			return 0, source.Imposter(o.nameOf(id))
		}
	}
	return max(n, 1), nil
}

func (o *originals) nameOf(id string) string {
	for _, r := range o.refs {
		if r.ID == id {
			return r.Name
		}
	}
	return id
}

func refusedSource(c dropcap.Container, hint string, err error) plan.Refusal {
	slug := "source"
	var cannot *source.Cannot
	var un *trust.Untrusted
	switch {
	case errors.As(err, &cannot):
		slug = cannot.Slug
	case errors.As(err, &un):
		slug = "untrusted"
	}
	return plan.Refusal{
		Slug: slug,
		Message: "cannot edit the compose files of " + printable.Line(c.Owner.Project) + ": " +
			printable.Line(err.Error()),
		Hint: hint,
	}
}
