package cli

import (
	"encoding/json"
	"errors"
	"io/fs"

	"dropcap"
	"dropcap/internal/plan"
	"dropcap/internal/source"
)

// sourceOf says how the change of a container is made in its owner's source; nil where that is not known.
func (o *originals) sourceOf(c dropcap.Container) func(dropcap.Grant) plan.Source {
	if c.Owner.Kind != "compose" {
		return nil
	}
	was := dropcap.Grant{Privileged: c.Declared.Privileged, CapAdd: c.Declared.Add, CapDrop: c.Declared.Drop}
	return func(g dropcap.Grant) plan.Source {
		d := source.Declaration{Was: was, Is: g}
		project, err := source.ReadProject(c.LabelValues)
		if err != nil {
			return plan.Source{Text: source.Words(c.Owner.Service, d), Against: []plan.Refusal{refusedSource(c, err)}}
		}
		up := source.Line(project.Up(o.replicas(project)))
		edited, err := o.editCompose(project, d)
		if err != nil {
			return plan.Source{Text: source.Words(c.Owner.Service, d) + up, Against: []plan.Refusal{refusedSource(c, err)}}
		}
		return plan.Source{Text: source.Diff(edited, project.Service, d) + up, Applied: true}
	}
}

// editCompose reads the project's files, if they may be trusted, and edits them in memory.
func (o *originals) editCompose(p source.Project, d source.Declaration) ([]source.Edited, error) {
	if !o.isHere() {
		return nil, errors.New("they are on the engine's own host")
	}
	needed, optional := p.Trusts()
	for _, f := range needed {
		if err := o.trusted(f); err != nil {
			return nil, err
		}
	}
	for _, f := range optional {
		if err := o.trusted(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	var files []source.File
	for _, path := range p.Files {
		text, err := readSource(path)
		if err != nil {
			return nil, err
		}
		files = append(files, source.File{Path: path, Text: text})
	}
	return source.Compose(files, p.Service, d)
}

// replicas is how many containers the service has now, by the labels that compose goes by: it is told to keep as many.
func (o *originals) replicas(p source.Project) int {
	n := 0
	for _, inspect := range o.raw {
		var b struct {
			Config struct{ Labels map[string]string }
		}
		_ = json.Unmarshal(inspect, &b) // one that cannot be read has no labels
		if other, err := source.ReadProject(b.Config.Labels); err == nil && other.Name == p.Name && other.Service == p.Service {
			n++
		}
	}
	return max(n, 1)
}

func refusedSource(c dropcap.Container, err error) plan.Refusal {
	slug := "source"
	var cannot *source.Cannot
	if errors.As(err, &cannot) {
		slug = cannot.Slug
	}
	return plan.Refusal{
		Slug:    slug,
		Message: "cannot edit the compose files of " + oneLine(c.Owner.Project) + ": " + oneLine(err.Error()),
		Hint:    "write it there by hand as shown and run the command; or change the container itself with --strategy recreate",
	}
}
