package policy

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"dropcap"
	"dropcap/caps"
)

// field is one key of a mapping and the function that reads its value.
type field struct {
	key      string
	required bool
	read     func(*yaml.Node)
}

// mapping reads n's fields; what names it in problems. It accepts only the given keys, each once.
func (r *reader) mapping(n *yaml.Node, what string, fields ...field) {
	if !r.is(n, yaml.MappingNode, "!!map", what, fmt.Sprintf("the keys of %s are %s", what,
		strings.Join(names(fields), ", "))) {
		return
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f, ok := r.find(key, what, fields)
		if !ok {
			continue
		}
		if first := seen[f.key]; first != nil {
			r.bad(key, "keep one of them", "key %q stands in line %d already", f.key, first.Line)
			continue
		}
		seen[f.key] = key
		f.read(value)
	}
	for _, f := range fields {
		if f.required && seen[f.key] == nil {
			r.bad(n, fmt.Sprintf("add %q", f.key+":"), "%s needs the key %q", what, f.key)
		}
	}
}

func (r *reader) find(key *yaml.Node, what string, fields []field) (field, bool) {
	if !r.is(key, yaml.ScalarNode, "", "a key of "+what, "") {
		return field{}, false
	}
	for _, f := range fields {
		if key.Value == f.key {
			return f, true
		}
	}
	r.bad(key, suggest(key.Value, "keys of "+what, names(fields)), "unknown key %q", key.Value)
	return field{}, false
}

func names(fields []field) []string {
	list := make([]string, 0, len(fields))
	for _, f := range fields {
		list = append(list, f.key)
	}
	return list
}

func (r *reader) list(n *yaml.Node, what string, item func(*yaml.Node)) {
	if !r.is(n, yaml.SequenceNode, "!!seq", fmt.Sprintf("%q", what),
		"begin each item with a dash, or write [] for none") {
		return
	}
	for _, c := range n.Content {
		item(c)
	}
}

// text returns a scalar's text; "" after a problem. Whoever writes 007 or ~ does not mean what YAML
// takes it for, so only text is accepted, and unquoted dates, which YAML 1.2 takes for text.
func (r *reader) text(n *yaml.Node, what string) string {
	what = fmt.Sprintf("%q", what)
	if !r.is(n, yaml.ScalarNode, "", what, "") {
		return ""
	}
	if n.Tag != "!!str" && n.Tag != "!!timestamp" {
		r.bad(n, "put it in quotes if it is meant", "%s must be text, not %s", what, kindOf(n))
		return ""
	}
	if strings.TrimSpace(n.Value) == "" {
		r.bad(n, "write it, or remove the key where it may be left out", "%s is empty", what)
		return ""
	}
	return n.Value
}

// is reports whether n has the kind and (unless tag is empty) the tag. It accepts no anchors,
// aliases and tags, which would let a small file mean a large policy, or hide from a reader what it
// says.
func (r *reader) is(n *yaml.Node, kind yaml.Kind, tag, what, hint string) bool {
	const spellOut = "write the value out in each place"
	switch {
	case n.Kind == yaml.AliasNode:
		r.bad(n, spellOut, "aliases (*%s) are not read", n.Value)
	case n.Anchor != "":
		r.bad(n, spellOut, "anchors (&%s) are not read", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		r.bad(n, "remove the tag", "tags (%s) are not read", n.Tag)
	case n.Kind != kind || tag != "" && n.Tag != tag:
		r.bad(n, hint, "%s must be %s, not %s", what, kindNames[kind], kindOf(n))
	default:
		return true
	}
	return false
}

var kindNames = map[yaml.Kind]string{
	yaml.MappingNode: "keys with values", yaml.SequenceNode: "a list", yaml.ScalarNode: "text",
}

func kindOf(n *yaml.Node) string {
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	}
	return kindNames[n.Kind]
}

func (r *reader) selector(n *yaml.Node) (s dropcap.Selector) {
	pattern := func(key string, to *string) field {
		return field{key: key, read: func(n *yaml.Node) {
			*to = r.text(n, key)
			if _, err := compile(*to); err != nil {
				r.bad(n, "close [ with ], and write \\ before a character that stands for itself",
					"bad pattern %q: %v", *to, err)
			}
		}}
	}
	r.mapping(n, `"containers"`, pattern("name", &s.Name), pattern("image", &s.Image),
		pattern("workload", &s.Workload),
		field{key: "label", read: func(n *yaml.Node) {
			if s.Label = r.text(n, "label"); strings.HasPrefix(s.Label, "=") {
				r.bad(n, `write "key" or "key=value"`, "label %q has no key", s.Label)
			}
		}})
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.bad(n,
			`write {name: "*"} for every container, or some of name, image, label and workload`,
			`"containers" selects nothing`)
	}
	return s
}

// time.Parse alone also accepts "T1:00:00Z" and a comma before the fraction (go.dev/issue/54580).
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// expiry reads "2026-12-31", valid through that day in UTC, or an RFC 3339 moment.
func (r *reader) expiry(n *yaml.Node) time.Time {
	word := r.text(n, "expires")
	if word == "" {
		return time.Time{}
	}
	if day, err := time.Parse(time.DateOnly, word); err == nil {
		return day.AddDate(0, 0, 1)
	}
	moment, err := time.Parse(time.RFC3339, word)
	if err != nil || !rfc3339.MatchString(word) {
		r.bad(n, "write a day like 2026-12-31, or a moment like 2026-12-31T18:00:00Z",
			"%q is not a date", word)
	}
	return moment.UTC()
}

// capabilities reads a list of names. Only a waiver of --privileged may cover every capability at
// once, by the word ALL alone.
func (r *reader) capabilities(n *yaml.Node, allowAll bool) (s caps.Set) {
	before := len(r.problems.List)
	r.list(n, "capabilities", func(n *yaml.Node) { s |= r.capability(n, allowAll) })
	if n.Kind != yaml.SequenceNode || len(r.problems.List) > before {
		return s
	}
	switch {
	case len(n.Content) == 0:
		r.bad(n, "name at least one, such as NET_RAW", `"capabilities" is empty`)
	case s&Everything == Everything && len(n.Content) > 1:
		r.bad(n, "write [ALL] in a waiver of a privileged container; else only what is meant",
			`"capabilities" names every one`)
	}
	return s
}

func (r *reader) capability(n *yaml.Node, allowAll bool) caps.Set {
	word := r.text(n, "capabilities")
	switch {
	case word == "":
		return 0
	case strings.EqualFold(word, caps.All) && allowAll:
		return Everything
	case strings.EqualFold(word, caps.All):
		r.bad(n, "name each one that is needed", "ALL is no capability to keep")
		return 0
	}
	c, err := caps.Parse(word)
	if err != nil {
		r.bad(n, suggest(strings.TrimPrefix(strings.ToUpper(word), "CAP_"), "capabilities",
			shortNames()), "unknown capability %q", word)
		return 0
	}
	return caps.Of(c)
}

func shortNames() []string {
	var l []string
	for _, c := range caps.UpTo(caps.Last).List() {
		l = append(l, c.Short())
	}
	return l
}
