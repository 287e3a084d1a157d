package host

import (
	"errors"
	"io/fs"
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
	project, err := source.ReadProject(c.LabelValues)
	if err != nil {
		return refused("", "write it there by hand as shown, and have compose make the service "+
			"again"+otherwise, err)
	}
	replicas, err := o.replicas(project)
	if err != nil {
		return refused("", "see to that container first, and plan again"+otherwise, err)
	}
	checked, err := o.checkCompose(project)
	if err != nil {
		return refused("", "whoever can write there decides what compose does as root: mend "+
			"that, and plan again"+otherwise, err)
	}
	up := source.Line(project.Up(source.Scale{Service: project.Service, Replicas: replicas}))
	edited, err := source.Compose(checked.Files, project.Service, d)
	if err != nil {
		return refused(up, "write it there by hand as shown and run the command"+otherwise, err)
	}
	return plan.Source{Text: source.Diff(edited, project.Service, d) + up, Applied: true}
}

// checkedCompose are a project's files, read and trusted, and the digests of what compose reads
// beside them by itself.
type checkedCompose struct {
	source.Given
	reads map[string]string
}

// checkCompose reads the project's files, if all that compose would read may be trusted; the error
// says which not.
func (o *originals) checkCompose(p source.Project) (checkedCompose, error) {
	out := checkedCompose{reads: map[string]string{}}
	if !o.isHere() {
		return out, errors.New("they are on the engine's own host")
	}
	for _, f := range p.Files {
		text, err := o.trusted(f)
		if err != nil {
			return out, err
		}
		out.Files = append(out.Files, source.File{Path: f, Text: text})
	}
	needed, optional := p.Trusts()
	for _, f := range append(needed[len(p.Files):], optional...) {
		text, err := o.trusted(f)
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && slices.Contains(optional, f)) {
			return out, err
		}
		out.Env = append(out.Env, source.File{Path: f, Text: text})
	}
	reads, err := p.Reads(out.Files)
	if err != nil {
		return out, err
	}
	for _, f := range reads {
		switch text, err := o.trusted(f); {
		case err == nil:
			out.reads[f] = digestOf(text)
		case errors.Is(err, fs.ErrNotExist):
			out.reads[f] = ""
		default:
			return out, err
		}
	}
	return out, nil
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
		case owner.OfService(owner.Believed(l), p.Name, p.Service):
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
