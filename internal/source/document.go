package source

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	// of a compose file; the largest that people write by hand are some hundred KiB
	maxSize  = 4 << 20
	maxDepth = 64
)

// document is a compose file with the positions of what stands in it.
type document struct {
	path  string
	text  string
	root  *yaml.Node
	lines []int // where each line begins
	cuts  []cut

	anchored []*yaml.Node // lists that are changed, and used elsewhere by an anchor
	restated []*yaml.Node // aliases that give way to a list of their own
}

// cut replaces the bytes from..to.
type cut struct {
	from, to int
	with     string
	// of whole lines: what they end with, so that one is put before them at the end of a file that
	// lacks it
	newline string
}

// parse reads the only YAML document of a file.
func parse(path string, text []byte) (*document, error) {
	switch {
	case len(text) > maxSize:
		return nil, cannot("size", "%s is larger than %d MiB", path, maxSize>>20)
	case !utf8.Valid(text):
		return nil, cannot("encoding", "%s is not UTF-8", path)
	}
	loader, err := yaml.NewLoader(bytes.NewReader(text),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		return nil, cannot("yaml", "%s cannot be parsed", path)
	}
	d := &document{path: path, text: string(text), lines: lineStarts(string(text))}
	var first, more yaml.Node
	if err := loader.Load(&first); err != nil || len(first.Content) == 0 ||
		first.Content[0].Kind != yaml.MappingNode {
		// the parser's message may quote the file
		return nil, cannot("yaml", "%s is no mapping in YAML", path)
	}
	if err := loader.Load(&more); !errors.Is(err, io.EOF) {
		return nil, cannot("documents", "%s holds several YAML documents", path)
	}
	d.root = first.Content[0]
	return d, nil
}

// lineStarts finds lines as the parser counts them: YAML 1.1 breaks lines at CR, LF, CR LF, NEL, LS
// and PS (yaml is_break). A byte order mark is not counted.
func lineStarts(text string) []int {
	at := 0
	if strings.HasPrefix(text, "\ufeff") {
		at = len("\ufeff")
	}
	out := []int{at}
	for i := at; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		switch r {
		case '\r':
			if i < len(text) && text[i] == '\n' {
				i++
			}
			out = append(out, i)
		case '\n', '\u0085', '\u2028', '\u2029':
			out = append(out, i)
		}
	}
	return out
}

// offset is where a node begins; -1 if that is nowhere. Columns are counted in characters.
func (d *document) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(d.lines) {
		return -1
	}
	at := d.lines[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRuneInString(d.text[at:])
		if size == 0 {
			return -1
		}
		at += size
	}
	return at
}

// lineOf returns the bounds of the line around an offset; the second is behind its break.
func (d *document) lineOf(at int) (from, to int) {
	i, found := slices.BinarySearch(d.lines, at)
	if !found {
		i--
	}
	i = max(i, 0)
	if i+1 < len(d.lines) {
		return d.lines[i], d.lines[i+1]
	}
	return d.lines[i], len(d.text)
}

// newline is how the file ends its lines, at the line around an offset.
func (d *document) newline(at int) string {
	from, to := d.lineOf(at)
	for _, s := range []string{d.text[from:to], d.text} {
		switch {
		case strings.HasSuffix(s, "\r\n"), strings.Contains(s, "\r\n"):
			return "\r\n"
		case strings.Contains(s, "\n"):
			return "\n"
		}
	}
	return "\n"
}

// spliced returns the text with the cuts done; false if two of them overlap.
func (d *document) spliced() (string, bool) {
	cuts := slices.Clone(d.cuts)
	slices.SortStableFunc(cuts, func(a, b cut) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	var b strings.Builder
	at := 0
	for _, c := range cuts {
		if c.from < at || c.to < c.from {
			return "", false
		}
		b.WriteString(d.text[at:c.from])
		if c.newline != "" && b.Len() > 0 && !broken(b.String()) {
			b.WriteString(c.newline)
		}
		b.WriteString(c.with)
		at = c.to
	}
	b.WriteString(d.text[at:])
	out := b.String()
	if broken(out) && !broken(d.text) { // the last line was taken out, or lines put behind it
		out = strings.TrimSuffix(strings.TrimSuffix(out, "\n"), "\r")
	}
	return out, true
}

// broken reports whether a text ends with a line break.
func broken(text string) bool {
	return strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\r")
}

// scalarEnd is behind a scalar of one line that is written as it reads: plain, or in quotes without
// an escape; -1 otherwise.
func (d *document) scalarEnd(n *yaml.Node) int {
	at := d.offset(n)
	if n.Kind != yaml.ScalarNode || at < 0 || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return -1
	}
	quote := ""
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		quote = `"`
	case n.Style&yaml.SingleQuotedStyle != 0:
		quote = "'"
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || n.Value == "":
		return -1
	}
	written := quote + n.Value + quote
	if !strings.HasPrefix(d.text[at:], written) {
		return -1
	}
	return at + len(written)
}

// value returns the value of a key of a mapping; nil if the mapping itself has no such key. It
// ignores merged mappings.
func value(m *yaml.Node, key string) (k, v *yaml.Node) {
	if m == nil || m.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Kind == yaml.ScalarNode && m.Content[i].Value == key {
			return m.Content[i], m.Content[i+1]
		}
	}
	return nil, nil
}

// merged is what a key holds by way of merge keys (<<), in which the first mapping wins and the
// mapping's own key over all.
func merged(m *yaml.Node, key string, depth int) *yaml.Node {
	_, into := value(m, "<<")
	if into == nil || depth > maxDepth {
		return nil
	}
	for _, s := range mergeSources(into) {
		s = resolved(s)
		if _, v := value(s, key); v != nil {
			return v
		}
		if v := merged(s, key, depth+1); v != nil {
			return v
		}
	}
	return nil
}

// resolved follows an alias.
func resolved(n *yaml.Node) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < maxDepth; i++ {
		n = n.Alias
	}
	return n
}

// aliases returns the nodes that refer to the node's anchor.
func (d *document) aliases(n *yaml.Node) (list []*yaml.Node) {
	walk(d.root, func(x *yaml.Node) {
		if x.Kind == yaml.AliasNode && x.Alias == n {
			list = append(list, x)
		}
	})
	return list
}

func walk(n *yaml.Node, visit func(*yaml.Node)) {
	visit(n)
	for _, c := range n.Content {
		walk(c, visit)
	}
}
