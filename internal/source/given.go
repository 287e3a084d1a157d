package source

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Given is what compose is given to read in the place of a project's files: the texts that were
// checked. Each is under the path that its owner gave.
type Given struct {
	Files []File // -f, in order
	// Included are files that those include.
	Included []File `json:",omitempty"`
	Dir      string `json:",omitempty"` // the project's
	// Env are the environment files; compose's own .env is among them, empty where there is none,
	// so that compose looks for no other.
	Env []File
}

// All are the texts that say what the project is.
func (g Given) All() []File { return slices.Concat(g.Files, g.Included) }

// Edit is Edit of the files, with what they include.
func (g Given) Edit(wanted []Wanted) ([]Edited, error) { return edit(g.All(), wanted, true) }

// Says reports whether the files declare for a service already what it is to have, and its
// containers do not: compose has not made these again since.
func (g Given) Says(service string, d Declaration) bool {
	if SameNames(d.Was.CapAdd, d.Is.CapAdd) && SameNames(d.Was.CapDrop, d.Is.CapDrop) {
		return false
	}
	p, err := open(g.All(), []Wanted{{service, d}}, true)
	if err != nil {
		return false
	}
	s := p.services[0]
	add, err1 := s.names(keyAdd)
	drop, err2 := s.names(keyDrop)
	return err1 == nil && err2 == nil && SameNames(add, d.Is.CapAdd) &&
		SameNames(drop, d.Is.CapDrop) && (s.privileged() == "true") == d.Is.Privileged
}

// With returns the texts with the edited ones in their place, or as they were.
func (g Given) With(edited []Edited, is bool) []File {
	list := slices.Concat(g.Files, g.Included, g.Env)
	for i, f := range list {
		for _, e := range edited {
			switch {
			case e.Path != f.Path:
			case is:
				list[i].Text = e.Is
			default:
				list[i].Text = e.Was
			}
		}
	}
	return list
}

// Explicit is the project with compose's own environment file named, so that a copy of it can be
// given.
func (p Project) Explicit(g Given) Project {
	if len(p.EnvFiles) == 0 {
		for _, f := range g.Env {
			p.EnvFiles = append(p.EnvFiles, f.Path)
		}
	}
	return p
}

// Reads are further files that compose reads by itself, wherever a service names them: environment
// and label files, and those that services extend. The error is a Cannot where a name is not told
// by the files alone.
func (p Project) Reads(files []File) ([]string, error) {
	var out []string
	for _, f := range files {
		d, err := parse(f.Path, f.Text)
		if err != nil {
			return nil, err
		}
		walk(d.root, func(n *yaml.Node) {
			if n.Kind != yaml.MappingNode {
				return
			}
			for _, key := range []string{"env_file", "label_file"} {
				if _, v := value(n, key); v != nil {
					out = append(out, namedFiles(v)...)
				}
			}
			if _, v := value(n, "extends"); v != nil {
				_, file := value(resolved(v), "file")
				out = append(out, namedFiles(file)...)
			}
		})
	}
	for i, name := range out {
		if strings.ContainsAny(name, "$~") {
			return nil, cannot("variable",
				"the name of a file that they read comes from a variable")
		}
		if !path.IsAbs(name) {
			out[i] = path.Join(p.Dir, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// namedFiles are the names in a value: one, a list of them, or mappings with a path.
func namedFiles(n *yaml.Node) (out []string) {
	switch n = resolved(n); {
	case n == nil:
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && n.Value != "":
		out = append(out, n.Value)
	case n.Kind == yaml.SequenceNode:
		for _, c := range n.Content {
			out = append(out, namedFiles(c)...)
		}
	case n.Kind == yaml.MappingNode:
		_, v := value(n, "path")
		out = namedFiles(v)
	}
	return out
}
