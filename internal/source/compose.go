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

// Declaration is what to write for a service: the complete names of both lists. Was is the present
// one, all files together (compose appends the lists of later files to those of earlier ones).
type Declaration struct {
	Was, Is dropcap.Grant
}

// The keys that are edited.
const (
	keyAdd        = "cap_add"
	keyDrop       = "cap_drop"
	keyPrivileged = "privileged"
)

// Wanted is a service whose declaration is to change.
type Wanted struct {
	Service string
	Declaration
}

// Compose edits the files of a project, in their order, so that the service is declared as d.Is
// says.
func Compose(files []File, service string, d Declaration) ([]Edited, error) {
	return Edit(files, []Wanted{{service, d}})
}

// Edit edits the files of a project, in their order, so that each service is declared as it is
// wanted. Nothing but their cap_add, cap_drop and privileged changes, and no other byte moves. The
// error is a Cannot where the change is not to be made by splicing; it names the service that is to
// blame, if one is.
func Edit(files []File, wanted []Wanted) ([]Edited, error) { return edit(files, wanted, false) }

// edit is Edit. Whole says that the files include all that they refer to.
func edit(files []File, wanted []Wanted, whole bool) ([]Edited, error) {
	p, err := open(files, wanted, whole)
	if err != nil {
		return nil, err
	}
	for _, s := range p.services {
		if err := s.edit(p.services); err != nil {
			return nil, s.blamed(err)
		}
	}
	for _, s := range p.services {
		if err := s.keep(p.services); err != nil {
			return nil, s.blamed(err)
		}
	}
	if err := p.shared(); err != nil {
		return nil, err
	}
	out, err := p.finish()
	if err != nil {
		return nil, err
	}
	return out, p.written(out, wanted, whole)
}

// edit records the changes of the service.
func (s *target) edit(all []*target) error {
	if s.wanted.Was.Privileged && !s.wanted.Is.Privileged {
		if err := s.deprivilege(); err != nil {
			return err
		}
	}
	for _, l := range s.wanted.changes() {
		if err := s.list(l, all); err != nil {
			return err
		}
	}
	return nil
}

// listChange is what to remove from a list, and what to add.
type listChange struct {
	key     string
	out, in []string
}

func (w Wanted) changes() []listChange {
	return []listChange{
		{keyDrop, minus(w.Was.CapDrop, w.Is.CapDrop), minus(w.Is.CapDrop, w.Was.CapDrop)},
		{keyAdd, minus(w.Was.CapAdd, w.Is.CapAdd), minus(w.Is.CapAdd, w.Was.CapAdd)},
	}
}

// written checks that the edited files together declare what was requested.
func (p *project) written(edited []Edited, wanted []Wanted, whole bool) error {
	var files []File
	for _, d := range p.docs {
		files = append(files, File{d.path, []byte(d.text)})
		for _, e := range edited {
			if e.Path == d.path {
				files[len(files)-1].Text = e.Is
			}
		}
	}
	after, err := open(files, wanted, whole)
	if err != nil {
		return err
	}
	for i, s := range p.services {
		was, is := s.privileged(), after.services[i].privileged()
		if is != was && !(s.wanted.Was.Privileged && !s.wanted.Is.Privileged) {
			return s.blamed(cannot("form", "whether it is privileged would change"))
		}
		for _, l := range s.wanted.changes() {
			was, err1 := s.names(l.key)
			is, err2 := after.services[i].names(l.key)
			if err1 != nil || err2 != nil || !SameNames(is, append(minus(was, l.out), l.in...)) {
				return s.blamed(cannot("form", "its %s would not be what was asked", l.key))
			}
		}
	}
	return nil
}

func (s *target) names(key string) ([]string, error) {
	var out []string
	for _, pt := range s.parts {
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

// privileged is how the files say it, the last of them that does.
func (s *target) privileged() (out string) {
	for _, pt := range s.parts {
		_, v := value(pt.at, keyPrivileged)
		if v == nil {
			v = merged(pt.at, keyPrivileged, 0)
		}
		if v = resolved(v); v != nil {
			out = strings.ToLower(v.Value)
		}
	}
	return out
}

// project is the files of a compose project.
type project struct {
	docs     []*document
	services []*target // those that are wanted, in that order
}

// target is a service that is to be changed.
type target struct {
	wanted Wanted
	parts  []*part // of the files that mention it
}

func (s *target) blamed(err error) error { return Blame(err, s.wanted.Service) }

// part is a service's definition in one file.
type part struct {
	doc    *document
	at     *yaml.Node // its mapping
	insert []newList

	changed []string // the keys that are changed
}

// newList is a list that the service gets.
type newList struct {
	key   string
	names []string
}

func open(files []File, wanted []Wanted, whole bool) (*project, error) {
	p := &project{}
	for _, f := range files {
		d, err := parse(f.Path, f.Text)
		if err != nil {
			return nil, err
		}
		if _, v := value(d.root, "include"); v != nil && !whole {
			return nil, cannot("include", "%s includes other files", f.Path)
		}
		p.docs = append(p.docs, d)
	}
	for _, w := range wanted {
		s := &target{wanted: w}
		for _, d := range p.docs {
			pt, err := d.part(w.Service)
			if err != nil {
				return nil, s.blamed(err)
			}
			if pt != nil {
				s.parts = append(s.parts, pt)
			}
		}
		if len(s.parts) == 0 {
			return nil, s.blamed(cannot("missing", "none of its files defines the service"))
		}
		p.services = append(p.services, s)
	}
	return p, nil
}

// part is the service in the file; nil if it is not there.
func (d *document) part(service string) (*part, error) {
	_, services := value(d.root, "services")
	_, s := value(services, service)
	switch {
	case s == nil && services != nil && (merged(resolved(services), service, 0) != nil ||
		services.Kind == yaml.AliasNode):
		return nil, cannot("alias", "in %s the service comes from an anchor", d.path)
	case s == nil:
		return nil, nil
	case s.Kind != yaml.MappingNode:
		return nil, cannot("alias", "in %s the service is no mapping of its own", d.path)
	}
	return &part{doc: d, at: s}, extends(d.path, s)
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

// list removes names from a list and adds others. Names are in the short form.
func (s *target) list(c listChange, all []*target) error {
	key, out, in := c.key, c.out, c.in
	left := slices.Clone(out)
	var lists []*list
	for _, pt := range s.parts {
		l, err := pt.find(key)
		if err != nil {
			return err
		}
		if l != nil {
			left = minus(left, l.names())
			lists = append(lists, l)
		}
	}
	if left = s.notExtended(key, left, all); len(left) > 0 {
		return cannot("elsewhere",
			"%s does not stand in the service's own %s (it extends another service, or the name "+
				"comes from a variable)", strings.Join(left, ", "), key)
	}
	for i, l := range lists {
		add := in
		if i < len(lists)-1 {
			add = nil // it goes into the last one
		}
		if err := l.change(out, add, false); err != nil {
			return err
		}
	}
	if len(lists) == 0 && len(in) > 0 {
		return s.parts[0].insertList(key, in)
	}
	return nil
}

// deprivilege makes every privileged: true of the service false.
func (s *target) deprivilege() error {
	found := false
	for _, pt := range s.parts {
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
			pt.changed = append(pt.changed, keyPrivileged)
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
	for _, s := range p.services {
		for _, pt := range s.parts {
			if err := pt.flush(); err != nil {
				return nil, s.blamed(err)
			}
		}
	}
	var out []Edited
	for _, d := range p.docs {
		if len(d.cuts) == 0 {
			continue
		}
		text, ok := d.spliced()
		if !ok {
			return nil, cannot("form", "%s is written in a way that cannot be edited safely",
				d.path)
		}
		if err := d.same(text, p.names()...); err != nil {
			return nil, err
		}
		out = append(out, Edited{Path: d.path, Was: []byte(d.text), Is: []byte(text)})
	}
	return out, nil
}

// names returns the names of the services to change.
func (p *project) names() (list []string) {
	for _, s := range p.services {
		list = append(list, s.wanted.Service)
	}
	return list
}
