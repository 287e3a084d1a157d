package host

import (
	"errors"
	"io/fs"
	"slices"

	"dropcap/internal/source"
)

// checkedCompose are a project's files, read and trusted, and the digests of what compose reads
// beside them by itself.
type checkedCompose struct {
	source.Given
	reads map[string]string
}

// checkCompose reads the project's files and what they include, if all that compose would read may
// be trusted; the error says which not.
func (o *originals) checkCompose(p source.Project) (checkedCompose, error) {
	out := checkedCompose{Given: source.Given{Dir: p.Dir}, reads: map[string]string{}}
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
	if err := o.digests(&out, reads); err != nil {
		return out, err
	}
	for _, f := range out.Files {
		if err := o.include(&out, f); err != nil {
			return out, err
		}
	}
	return out, nil
}

// digests reads files that compose reads by itself.
func (o *originals) digests(c *checkedCompose, files []string) error {
	for _, f := range files {
		switch text, err := o.trusted(f); {
		case err == nil:
			c.reads[f] = digestOf(text)
		case errors.Is(err, fs.ErrNotExist):
			c.reads[f] = ""
		default:
			return err
		}
	}
	return nil
}

// include reads what a file includes.
func (o *originals) include(c *checkedCompose, f source.File) error {
	list, err := source.Includes(c.Dir, f)
	if err != nil {
		return err
	}
	for _, i := range list {
		if err := o.digests(c, i.Reads()); err != nil {
			return err
		}
		for _, name := range i.Files {
			if slices.ContainsFunc(c.All(), func(f source.File) bool { return f.Path == name }) {
				return source.IncludedTwice(name)
			}
			text, err := o.trusted(name)
			if err != nil {
				return err
			}
			file := source.File{Path: name, Text: text}
			if more, err := source.Includes(i.Dir, file); err != nil || len(more) > 0 {
				return errors.Join(err, source.IncludesMore(name))
			}
			reads, err := source.Project{Dir: i.Dir}.Reads([]source.File{file})
			if err != nil {
				return err
			}
			if err := o.digests(c, reads); err != nil {
				return err
			}
			c.Included = append(c.Included, file)
		}
	}
	return nil
}
