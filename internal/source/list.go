package source

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"dropcap/caps"
)

// list is cap_add or cap_drop of the service in one file.
type list struct {
	part *part
	key  string
	head *yaml.Node // the key; nil if the list comes by a merge key
	node *yaml.Node // as it is written: a sequence, an alias or nothing
	seq  *yaml.Node // the sequence that it stands for; nil for nothing
}

// find returns the list of a part; nil if it has none.
func (pt *part) find(key string) (*list, error) {
	head, node := value(pt.at, key)
	if node == nil {
		node = merged(pt.at, key, 0)
	}
	if node == nil {
		return nil, nil
	}
	l := &list{part: pt, key: key, head: head, node: node, seq: resolved(node)}
	switch {
	case l.seq.Style&yaml.TaggedStyle != 0 || node.Style&yaml.TaggedStyle != 0:
		// !reset, !override
		return nil, cannot("tag", "in %s its %s has a tag of its own", pt.doc.path, key)
	case l.seq.Kind == yaml.ScalarNode && l.seq.Tag == "!!null":
		l.seq = nil
	case l.seq.Kind != yaml.SequenceNode:
		return nil, cannot("form", "in %s its %s is not a list", pt.doc.path, key)
	}
	return l, nil
}

func (l *list) names() []string {
	var out []string
	if l == nil || l.seq == nil {
		return nil
	}
	for _, n := range l.seq.Content {
		out = append(out, caps.ShortName(resolved(n).Value))
	}
	return out
}

// change removes names and adds others. Anew writes the list even if it stays the same.
func (l *list) change(out, in []string, anew bool) error {
	gone := slices.ContainsFunc(l.names(), func(n string) bool { return slices.Contains(out, n) })
	in = minus(in, l.names())
	if !gone && len(in) == 0 && !anew {
		return nil
	}
	l.part.changed = append(l.part.changed, l.key)
	rest := append(minus(l.names(), out), in...)
	switch {
	case l.head == nil: // its own key wins over the merged one, which others use as well
		return l.part.insertList(l.key, rest)
	case l.seq == nil || l.node.Kind == yaml.AliasNode:
		return l.restate(rest)
	case slices.ContainsFunc(l.seq.Content, func(n *yaml.Node) bool { return n.Anchor != "" }):
		return cannot("alias", "in %s other services use its %s by an anchor", l.part.doc.path,
			l.key)
	}
	if l.seq.Anchor != "" {
		l.part.doc.anchored = append(l.part.doc.anchored, l.seq)
	}
	switch {
	case l.seq.Style&yaml.FlowStyle != 0:
		return l.flow(out, in)
	case len(rest) == 0:
		return l.remove()
	}
	return l.block(out, in)
}

func (l *list) form() error {
	return cannot("form", "in %s its %s is written in a way that cannot be edited safely",
		l.part.doc.path, l.key)
}

// restate writes a list of its own in place of an alias, or of nothing.
func (l *list) restate(names []string) error {
	d := l.part.doc
	text := "[" + strings.Join(names, ", ") + "]"
	if l.node.Kind == yaml.AliasNode {
		at := d.offset(l.node)
		written := "*" + l.node.Value
		if at < 0 || !strings.HasPrefix(d.text[at:], written) {
			return l.form()
		}
		d.cuts = append(d.cuts, cut{from: at, to: at + len(written), with: text})
		d.restated = append(d.restated, l.node)
		return nil
	}
	end := d.scalarEnd(l.head)
	if end < 0 || !strings.HasPrefix(d.text[end:], ":") {
		return l.form()
	}
	rest := strings.TrimLeft(d.text[end+1:], " \t")
	for _, null := range []string{"null", "~"} { // what it says already is replaced
		if strings.HasPrefix(rest, null) {
			at := len(d.text) - len(rest)
			d.cuts = append(d.cuts, cut{from: at, to: at + len(null), with: text})
			return nil
		}
	}
	d.cuts = append(d.cuts, cut{from: end + 1, to: end + 1, with: " " + text})
	return nil
}

// block edits a list that has a line for each item.
func (l *list) block(out, in []string) error {
	d := l.part.doc
	items := l.seq.Content
	for _, n := range items {
		if !slices.Contains(out, caps.ShortName(resolved(n).Value)) {
			continue
		}
		if _, ok := l.line(n); !ok {
			return l.form()
		}
		d.removeLine(d.offset(n))
	}
	if len(in) == 0 {
		return nil
	}
	last := items[len(items)-1]
	prefix, ok := l.line(last)
	if !ok {
		return l.form()
	}
	d.insertLines(d.offset(last), lines(prefix, in))
	return nil
}

// line returns what stands before an item on its line, the indentation and the dash; false if the
// item does not have a line for itself.
func (l *list) line(n *yaml.Node) (prefix string, ok bool) {
	d := l.part.doc
	end := d.scalarEnd(n)
	if n.Kind == yaml.AliasNode {
		end = d.offset(n) + len(n.Value) + 1
	}
	if end < 0 {
		return "", false
	}
	from, to := d.lineOf(d.offset(n))
	prefix = d.text[from:d.offset(n)]
	dash := strings.TrimLeft(prefix, " ")
	rest := strings.TrimRight(d.text[end:to], "\r\n")
	behind := strings.TrimLeft(rest, " \t")
	return prefix, strings.HasPrefix(dash, "-") && strings.Trim(dash[1:], " \t") == "" &&
		(behind == "" || behind[0] == '#' && behind != rest)
}

// remove removes the whole list with its key; if the mapping has nothing else, an empty list stays.
func (l *list) remove() error {
	d := l.part.doc
	end := d.scalarEnd(l.head)
	if end < 0 || !strings.HasPrefix(d.text[end:], ":") {
		return l.form()
	}
	from, to := d.lineOf(end)
	alone := strings.Trim(d.text[from:d.offset(l.head)], " ") == ""
	comment := strings.Trim(d.text[end+1:to], " \t\r\n")
	if comment != "" && comment[0] != '#' { // an anchor
		return l.form()
	}
	for _, n := range l.seq.Content {
		if _, ok := l.line(n); !ok {
			return l.form()
		}
		d.removeLine(d.offset(n))
	}
	if alone && comment == "" && len(l.part.at.Content) > 2 {
		d.removeLine(end)
		return nil
	}
	d.cuts = append(d.cuts, cut{from: end + 1, to: end + 1, with: " []"})
	return nil
}

// flow edits a list in brackets.
func (l *list) flow(out, in []string) error {
	d := l.part.doc
	items := l.seq.Content
	open := d.offset(l.seq)
	if named := "&" + l.seq.Anchor; open >= 0 && l.seq.Anchor != "" &&
		strings.HasPrefix(d.text[open:], named) {
		open += len(named) + len(d.text[open+len(named):]) - len(
			strings.TrimLeft(d.text[open+len(named):], " "))
	}
	if open < 0 || !strings.HasPrefix(d.text[open:], "[") {
		return l.form()
	}
	ends := make([]int, len(items))
	var kept []int
	for i, n := range items {
		if ends[i] = d.scalarEnd(n); ends[i] < 0 {
			return l.form()
		}
		if !slices.Contains(out, caps.ShortName(n.Value)) {
			kept = append(kept, i)
		}
	}
	if len(items) == 0 {
		d.cuts = append(d.cuts, cut{from: open + 1, to: open + 1, with: strings.Join(in, ", ")})
		return nil
	}
	first, last := d.offset(items[0]), ends[len(ends)-1]
	if strings.ContainsRune(d.text[first:last], '#') {
		return l.form() // a comment between two items
	}
	quote := d.text[first : first+1]
	if quote != `"` && quote != "'" {
		quote = ""
	}
	l.flowCuts(kept, ends, in, quote)
	return nil
}

// flowCuts removes each run of items to drop, and adds the new ones after the last that stays.
func (l *list) flowCuts(kept, ends []int, in []string, quote string) {
	d, items := l.part.doc, l.seq.Content
	fresh := make([]string, len(in))
	for i, n := range in {
		fresh[i] = quote + n + quote
	}
	if len(kept) == 0 {
		d.cuts = append(d.cuts, cut{from: d.offset(items[0]), to: ends[len(ends)-1],
			with: strings.Join(fresh, ", ")})
		return
	}
	if kept[0] > 0 {
		d.cuts = append(d.cuts, cut{from: d.offset(items[0]), to: d.offset(items[kept[0]]),
			with: ""})
	}
	for i := 1; i < len(kept); i++ {
		if kept[i] > kept[i-1]+1 {
			d.cuts = append(d.cuts, cut{from: ends[kept[i-1]], to: ends[kept[i]-1], with: ""})
		}
	}
	tail := ""
	for _, n := range fresh {
		tail += ", " + n
	}
	if at := ends[kept[len(kept)-1]]; tail != "" || at != ends[len(ends)-1] {
		d.cuts = append(d.cuts, cut{from: at, to: ends[len(ends)-1], with: tail})
	}
}
