package source

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// lines are items of a block sequence.
func lines(prefix string, names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, prefix+n)
	}
	return out
}

// removeLine removes the line around an offset, with its break.
func (d *document) removeLine(at int) {
	from, to := d.lineOf(at)
	d.cuts = append(d.cuts, cut{from: from, to: to, with: ""})
}

// insertLines inserts lines after the line around an offset. A file without a final line break
// stays without.
func (d *document) insertLines(at int, list []string) {
	_, to := d.lineOf(at)
	nl := d.newline(at)
	d.cuts = append(d.cuts, cut{from: to, to: to, with: strings.Join(list, nl) + nl, newline: nl})
}

// insertList records a new list; flush writes all of them in one place.
func (pt *part) insertList(key string, names []string) error {
	pt.insert, pt.changed = append(pt.insert, newList{key, names}), append(pt.changed, key)
	return nil
}

// flush writes the new keys of the service.
func (pt *part) flush() error {
	if len(pt.insert) == 0 {
		return nil
	}
	d := pt.doc
	at := d.offset(pt.at)
	if at < 0 || len(pt.at.Content) == 0 || pt.at.Anchor != "" && pt.at.Style&yaml.FlowStyle != 0 ||
		pt.at.Style&yaml.TaggedStyle != 0 {
		return cannot("form", "in %s the service is written in a way that cannot be edited safely",
			d.path)
	}
	if pt.at.Style&yaml.FlowStyle != 0 {
		return pt.flushFlow(at)
	}
	first := pt.at.Content[0]
	from, _ := d.lineOf(d.offset(first))
	indent := d.text[from:d.offset(first)]
	if strings.Trim(indent, " ") != "" {
		return cannot("form", "in %s the service is written in a way that cannot be edited safely",
			d.path)
	}
	var text []string
	for _, s := range pt.insert {
		if len(s.names) == 0 { // it takes the place of a merged one
			text = append(text, indent+s.key+": []")
			continue
		}
		text = append(text, indent+s.key+":")
		text = append(text, lines(indent+pt.step(len(indent))+"- ", s.names)...)
	}
	if after := pt.behind(); after >= 0 {
		d.insertLines(after, text)
		return nil
	}
	nl := d.newline(from)
	d.cuts = append(d.cuts, cut{from: from, to: from, with: strings.Join(text, nl) + nl})
	return nil
}

// flushFlow writes the new keys right after the brace.
func (pt *part) flushFlow(at int) error {
	d := pt.doc
	if !strings.HasPrefix(d.text[at:], "{") {
		return cannot("form", "in %s the service is written in a way that cannot be edited safely",
			d.path)
	}
	first := d.offset(pt.at.Content[0])
	gap, quote := d.text[at+1:first], ""
	if strings.ContainsRune(gap, '#') {
		return cannot("form", "in %s the service is written in a way that cannot be edited safely",
			d.path)
	}
	if strings.HasPrefix(d.text[first:], `"`) { // JSON
		quote = `"`
	}
	text := ""
	for _, s := range pt.insert {
		var names []string
		for _, n := range s.names {
			names = append(names, quote+n+quote)
		}
		text += quote + s.key + quote + ": [" + strings.Join(names, ", ") + "],"
		if text += gap; gap == "" {
			text += " "
		}
	}
	d.cuts = append(d.cuts, cut{from: first, to: first, with: text})
	return nil
}

// step is how much further the file indents the items of a list than its key: as its other lists
// do, or its mappings.
func (pt *part) step(indent int) string {
	for i := 1; i < len(pt.at.Content); i += 2 {
		if v := pt.at.Content[i]; v.Kind == yaml.SequenceNode && v.Style&yaml.FlowStyle == 0 &&
			v.Anchor == "" && v.Column-1 >= indent {
			return strings.Repeat(" ", v.Column-1-indent)
		}
	}
	return strings.Repeat(" ", 2)
}

// behind is the line behind which new keys go: the last item of the service's other list of
// capabilities, or its image, or another value that ends on its key's line; -1 if there is none.
func (pt *part) behind() int {
	d := pt.doc
	for _, key := range []string{keyAdd, keyDrop} {
		if _, v := value(pt.at, key); v != nil && v.Kind == yaml.SequenceNode &&
			v.Style&yaml.FlowStyle == 0 && len(v.Content) > 0 {
			return d.offset(v.Content[len(v.Content)-1])
		}
	}
	for _, wanted := range []string{"image", "container_name", ""} {
		for i := 0; i+1 < len(pt.at.Content); i += 2 {
			k, v := pt.at.Content[i], pt.at.Content[i+1]
			if (wanted == "" || k.Value == wanted) && k.Line == v.Line && d.ends(v) {
				return d.offset(k)
			}
		}
	}
	return -1
}

// ends reports whether a scalar ends its line, but for a comment.
func (d *document) ends(v *yaml.Node) bool {
	end := d.scalarEnd(v)
	if end < 0 {
		return false
	}
	_, to := d.lineOf(end)
	rest := strings.TrimLeft(d.text[end:to], " \t\r\n")
	return rest == "" || rest[0] == '#'
}
