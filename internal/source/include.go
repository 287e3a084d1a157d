package source

import (
	"encoding/json"
	"path"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Include is one entry of a file's include: files that are read as a project of their own.
type Include struct {
	Files []string // the first and what overrides it, whole paths
	Dir   string   // from which their own paths are meant
	Env   []string // environment files that are named for it; none: .env in Dir

	from, to int // where the entry stands in the text
}

// Reads are the environment files that compose reads for it.
func (i Include) Reads() []string {
	if len(i.Env) > 0 {
		return i.Env
	}
	return []string{path.Join(i.Dir, ".env")}
}

// Includes reads what a file of the project in that folder includes. The error is a Cannot where a
// name is not told by the file alone (compose-go loader/include.go).
func Includes(dir string, f File) ([]Include, error) {
	d, err := parse(f.Path, f.Text)
	if err != nil {
		return nil, err
	}
	_, list := value(d.root, "include")
	if list == nil || list.ShortTag() == "!!null" {
		return nil, nil
	}
	no := cannot("include", "%s includes other files in a way that is not followed", f.Path)
	if list.Kind != yaml.SequenceNode {
		return nil, no
	}
	var out []Include
	for _, n := range list.Content {
		i, ok := d.include(dir, n)
		if !ok {
			return nil, no
		}
		out = append(out, i)
	}
	return out, nil
}

// IncludedTwice is why a project is not edited in which a file has two places.
func IncludedTwice(path string) error {
	return cannot("include", "%s is included twice", path)
}

// IncludesMore is why a project is not edited in which an included file includes others.
func IncludesMore(path string) error {
	return cannot("include", "%s is included and includes other files itself", path)
}

// include reads one entry; false if it is not plain.
func (d *document) include(dir string, n *yaml.Node) (i Include, ok bool) {
	paths, folder := n, ""
	if n.Kind == yaml.MappingNode {
		_, paths = value(n, "path")
		for k := 0; k+1 < len(n.Content); k += 2 {
			switch v := n.Content[k+1]; n.Content[k].Value {
			case "path":
			case "project_directory":
				if v.Kind != yaml.ScalarNode {
					return i, false
				}
				folder = v.Value
			case "env_file":
				if i.Env, ok = plainPaths(dir, v); !ok {
					return i, false
				}
			default:
				return i, false
			}
		}
	}
	if i.Files, ok = plainPaths(dir, paths); !ok || strings.ContainsAny(folder, "$~") {
		return i, false
	}
	if i.Dir = path.Dir(i.Files[0]); folder != "" {
		i.Dir = folder
		if !path.IsAbs(folder) {
			i.Dir = path.Join(dir, folder)
		}
	}
	i.from, i.to = d.offset(n), d.entryEnd(n)
	return i, i.from >= 0 && i.to > i.from
}

// plainPaths are the whole paths that a value names, one or a list; false if some is no plain path.
func plainPaths(dir string, n *yaml.Node) (list []string, ok bool) {
	if n == nil {
		return nil, false
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		p := item.Value
		if item.Kind != yaml.ScalarNode || p == "" || strings.ContainsAny(p, "$~\x00") ||
			strings.Contains(p, ":") || strings.HasSuffix(p, ".git") {
			return nil, false
		}
		if !path.IsAbs(p) {
			p = path.Join(dir, p)
		}
		list = append(list, path.Clean(p))
	}
	return list, len(list) > 0
}

// entryEnd is behind an entry of a list: a scalar of one line, or the last scalar of a mapping; -1
// where that is not plain.
func (d *document) entryEnd(n *yaml.Node) int {
	switch {
	case n.Kind == yaml.ScalarNode:
		return d.scalarEnd(n)
	case n.Kind == yaml.AliasNode || n.Anchor != "" || len(n.Content) == 0:
		return -1
	}
	end := d.entryEnd(n.Content[len(n.Content)-1])
	if n.Style&yaml.FlowStyle == 0 || end < 0 {
		return end
	}
	closing := map[yaml.Kind]string{yaml.MappingNode: "}", yaml.SequenceNode: "]"}[n.Kind]
	rest := strings.TrimLeft(d.text[end:], " \t\r\n,")
	if !strings.HasPrefix(rest, closing) {
		return -1
	}
	return len(d.text) - len(rest) + len(closing)
}

// Placed are texts for compose in which each include names the copies of what it includes, as NUL,
// path, NUL, and the folder and environment that those had: see dropcap.Copy.
func (g Given) Placed(texts []File) []File {
	out := append([]File{}, texts...)
	for k := range min(len(g.Files), len(texts)) {
		includes, err := Includes(g.Dir, out[k])
		if err != nil || len(includes) == 0 {
			continue // what is not followed was refused before
		}
		d := document{text: string(out[k].Text)}
		for _, i := range includes {
			d.cuts = append(d.cuts, cut{from: i.from, to: i.to, with: i.placed()})
		}
		if text, ok := d.spliced(); ok {
			out[k].Text = []byte(text)
		}
	}
	return out
}

// placed is the entry for a copy of the file, in flow style.
func (i Include) placed() string {
	quote := func(s string) string {
		b, _ := json.Marshal(s) // JSON's strings are YAML's
		return string(b)
	}
	var files []string
	for _, f := range i.Files {
		files = append(files, "\x00"+f+"\x00")
	}
	text := "{path: [" + strings.Join(files, ", ") + "], project_directory: " + quote(i.Dir)
	if len(i.Env) > 0 {
		var env []string
		for _, f := range i.Env {
			env = append(env, quote(f))
		}
		text += ", env_file: [" + strings.Join(env, ", ") + "]"
	}
	return text + "}"
}
