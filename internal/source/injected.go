package source

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Injection is a config or secret that compose writes into each new container of a service.
type Injection struct {
	Path string // in the container
	// Variable is the one of the environment whose value it is; empty if that stands in the files.
	Variable string
}

// Injected are the service's configs and secrets that compose writes into its containers, since
// they are no files of this host. What cannot be read is left out.
func Injected(files []File, service string) (list []Injection) {
	var docs []*document
	for _, f := range files {
		if d, err := parse(f.Path, f.Text); err == nil {
			docs = append(docs, d)
		}
	}
	for _, kind := range []string{"configs", "secrets"} {
		for _, d := range docs {
			for _, use := range d.uses(service, kind, 0) {
				for _, from := range docs {
					if i, ok := from.injection(kind, use); ok {
						list = append(list, i)
					}
				}
			}
		}
	}
	return list
}

// fileUse is how a service uses a config or secret.
type fileUse struct{ name, target string }

// uses are those of a service, and of what it extends in the same file.
func (d *document) uses(service, kind string, depth int) (list []fileUse) {
	_, services := value(d.root, "services")
	s := resolved(entry(resolved(services), service))
	if s == nil || depth > maxDepth {
		return nil
	}
	if from := resolved(entry(s, "extends")); from != nil {
		name := from.Value
		if from.Kind == yaml.MappingNode {
			name = scalarOf(from, "service")
		}
		list = d.uses(name, kind, depth+1)
	}
	if all := resolved(entry(s, kind)); all != nil && all.Kind == yaml.SequenceNode {
		for _, n := range all.Content {
			if n = resolved(n); n.Kind == yaml.MappingNode {
				list = append(list, fileUse{scalarOf(n, "source"), scalarOf(n, "target")})
			} else {
				list = append(list, fileUse{name: n.Value})
			}
		}
	}
	return list
}

// injection is what compose makes of a use by a definition of the file; false if it mounts a file,
// or if the definition is elsewhere (docker/compose pkg/compose/secrets.go).
func (d *document) injection(kind string, use fileUse) (Injection, bool) {
	_, all := value(d.root, kind)
	def := resolved(entry(resolved(all), use.name))
	variable := scalarOf(def, "environment")
	if def == nil || variable == "" && entry(def, "content") == nil ||
		strings.Contains(use.target, "$") {
		return Injection{}, false
	}
	target := use.target
	if target == "" {
		target = use.name
	}
	if kind == "secrets" && !path.IsAbs(target) {
		target = "/run/secrets/" + target
	}
	return Injection{Path: path.Join("/", target), Variable: variable}, true
}

// entry is what a key of a mapping holds, by itself or by a merge key; nil if nothing.
func entry(m *yaml.Node, key string) *yaml.Node {
	if m == nil {
		return nil
	}
	if _, v := value(m, key); v != nil {
		return v
	}
	return merged(m, key, 0)
}

// scalarOf is the text that a key of a mapping holds; empty if it holds none.
func scalarOf(m *yaml.Node, key string) string {
	if v := resolved(entry(m, key)); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}
