package source

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"dropcap"
)

// File is a compose file, by the path that its owner gave.
type File struct {
	Path string
	Text []byte
}

// Edited is a file before and after.
type Edited struct {
	Path    string
	Was, Is []byte
}

// Declaration is what is to be written for a service: the names of both lists as a whole. Was is
// what stands there, all files together (compose appends the lists of later files to those of
// earlier ones).
type Declaration struct {
	Was, Is dropcap.Grant
}

// The keys that are edited.
const (
	keyAdd        = "cap_add"
	keyDrop       = "cap_drop"
	keyPrivileged = "privileged"
)

// Compose edits the files of a project, in their order, so that the service is declared as d.Is
// says. Nothing but its cap_add, cap_drop and privileged changes, and no other byte moves. The
// error is a Cannot where the change is not to be made by splicing.
func Compose(files []File, service string, d Declaration) ([]Edited, error) {
	p, err := open(files, service)
	if err != nil {
		return nil, err
	}
	if d.Was.Privileged && !d.Is.Privileged {
		if err := p.deprivilege(); err != nil {
			return nil, err
		}
	}
	for _, l := range []struct {
		key     string
		was, is []string
	}{{keyDrop, d.Was.CapDrop, d.Is.CapDrop}, {keyAdd, d.Was.CapAdd, d.Is.CapAdd}} {
		if err := p.list(l.key, minus(l.was, l.is), minus(l.is, l.was)); err != nil {
			return nil, err
		}
	}
	out, err := p.finish()
	if err != nil {
		return nil, err
	}
	return out, p.written(out, d)
}

// written checks that the edited files together say what was asked.
func (p *project) written(edited []Edited, d Declaration) error {
	var files []File
	for _, pt := range p.parts {
		files = append(files, File{pt.doc.path, []byte(pt.doc.text)})
		for _, e := range edited {
			if e.Path == pt.doc.path {
				files[len(files)-1].Text = e.Is
			}
		}
	}
	after, err := open(files, p.service)
	if err != nil {
		return err
	}
	for key, lists := range map[string][2][]string{keyAdd: {d.Was.CapAdd, d.Is.CapAdd},
		keyDrop: {d.Was.CapDrop, d.Is.CapDrop}} {
		was, err1 := p.names(key)
		is, err2 := after.names(key)
		want := append(minus(was, minus(lists[0], lists[1])), minus(lists[1], lists[0])...)
		if err1 != nil || err2 != nil || !SameNames(is, want) {
			return cannot("form", "its %s would not be what was asked", key)
		}
	}
	return nil
}

func (p *project) names(key string) ([]string, error) {
	var out []string
	for _, pt := range p.parts {
		l, err := pt.find(key)
		if err != nil {
			return nil, err
		}
		if l != nil {
			out = append(out, l.names()...)
		}
	}
	return out, nil
}

// project is the files of a compose project that define the service.
type project struct {
	service string
	parts   []*part // of the files that mention the service
}

// part is a service's definition in one file.
type part struct {
	doc    *document
	at     *yaml.Node // its mapping
	insert []newList
}

// newList is a list that the service gets.
type newList struct {
	key   string
	names []string
}

func open(files []File, service string) (*project, error) {
	p := &project{service: service}
	for _, f := range files {
		d, err := parse(f.Path, f.Text)
		if err != nil {
			return nil, err
		}
		if _, v := value(d.root, "include"); v != nil {
			return nil, cannot("include", "%s includes other files", f.Path)
		}
		_, services := value(d.root, "services")
		_, s := value(services, service)
		if s == nil {
			if services != nil && merged(resolved(services), service, 0) != nil ||
				services != nil && services.Kind == yaml.AliasNode {
				return nil, cannot("alias", "in %s the service comes from an anchor", f.Path)
			}
			continue
		}
		if s.Kind != yaml.MappingNode {
			return nil, cannot("alias", "in %s the service is no mapping of its own", f.Path)
		}
		if d.aliased(s) {
			return nil, cannot("alias", "in %s other services are made from this one by an anchor",
				f.Path)
		}
		if err := extends(f.Path, s); err != nil {
			return nil, err
		}
		p.parts = append(p.parts, &part{doc: d, at: s})
	}
	if len(p.parts) == 0 {
		return nil, cannot("missing", "none of its files defines the service")
	}
	return p, nil
}

// extends refuses what another file has a part in: it may be anybody's, and is not read.
func extends(path string, s *yaml.Node) error {
	_, e := value(s, "extends")
	if e == nil {
		e = merged(s, "extends", 0)
	}
	if e = resolved(e); e == nil || e.Kind == yaml.ScalarNode {
		return nil
	}
	if _, file := value(e, "file"); file != nil {
		return cannot("extends", "in %s the service extends one of another file", path)
	}
	return nil
}

// list takes names out of a list and puts others into it. Names are in the short form.
func (p *project) list(key string, out, in []string) error {
	left := slices.Clone(out)
	var lists []*list
	for _, pt := range p.parts {
		l, err := pt.find(key)
		if err != nil {
			return err
		}
		if l != nil {
			left = minus(left, l.names())
			lists = append(lists, l)
		}
	}
	if len(left) > 0 {
		return cannot("elsewhere",
			"%s does not stand in the service's own %s (it extends another service, or the name "+
				"comes from a variable)", strings.Join(left, ", "), key)
	}
	for i, l := range lists {
		add := in
		if i < len(lists)-1 {
			add = nil // it goes into the last one
		}
		if err := l.change(out, add); err != nil {
			return err
		}
	}
	if len(lists) == 0 && len(in) > 0 {
		return p.parts[0].insertList(key, in)
	}
	return nil
}

// deprivilege makes every privileged: true of the service false.
func (p *project) deprivilege() error {
	found := false
	for _, pt := range p.parts {
		_, v := value(pt.at, keyPrivileged)
		if v == nil {
			if merged(pt.at, keyPrivileged, 0) != nil {
				return cannot("alias", "in %s privileged comes from an anchor", pt.doc.path)
			}
			continue
		}
		end := pt.doc.scalarEnd(v)
		if end < 0 || !strings.EqualFold(v.Value, "true") && !strings.EqualFold(v.Value, "false") {
			return cannot("elsewhere", "in %s privileged is not simply true or false", pt.doc.path)
		}
		if strings.EqualFold(v.Value, "true") {
			pt.doc.cuts = append(pt.doc.cuts, cut{from: pt.doc.offset(v), to: end, with: "false"})
			found = true
		}
	}
	if !found {
		return cannot("elsewhere", "privileged does not stand in the service itself")
	}
	return nil
}

// finish splices the texts and checks that nothing else in them means anything else.
func (p *project) finish() ([]Edited, error) {
	var out []Edited
	for _, pt := range p.parts {
		if err := pt.flush(); err != nil {
			return nil, err
		}
		if len(pt.doc.cuts) == 0 {
			continue
		}
		text, ok := pt.doc.spliced()
		if !ok {
			return nil, cannot("form", "%s is written in a way that cannot be edited safely",
				pt.doc.path)
		}
		if err := pt.doc.same(text, p.service); err != nil {
			return nil, err
		}
		out = append(out, Edited{Path: pt.doc.path, Was: []byte(pt.doc.text), Is: []byte(text)})
	}
	return out, nil
}
