package source

import (
	"bytes"
	"reflect"
	"slices"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// Reversed is a file as it is now without an edit of the past: the file as it was before where
// nothing else has changed since, else the file now with the edit's own pieces taken back. What
// others have changed since stays, and nothing is taken back where the capabilities of one of the
// services were changed again. The error is a Cannot.
func Reversed(e Edited, now []byte, wanted []Wanted) ([]byte, error) {
	if bytes.Equal(now, e.Is) || bytes.Equal(now, e.Was) {
		return e.Was, nil
	}
	var names []string
	for _, w := range wanted {
		names = append(names, w.Service)
	}
	var docs [3]*document
	for i, text := range [][]byte{e.Was, e.Is, now} {
		d, err := parse(e.Path, text)
		if err != nil {
			return nil, err
		}
		docs[i] = d
	}
	was, is, here := docs[0].capabilities(names), docs[1].capabilities(names),
		docs[2].capabilities(names)
	switch {
	case reflect.DeepEqual(here, was): // somebody was there first
		return now, nil
	case !reflect.DeepEqual(here, is):
		return nil, cannot("changed",
			"somebody has changed the capabilities there since, or the services themselves")
	}
	for _, split := range []func(string) []string{splitLines, splitWords} {
		text, ok := merge(split(string(e.Is)), split(string(now)), split(string(e.Was)))
		if !ok {
			continue
		}
		after, err := parse(e.Path, []byte(text))
		if err == nil && reflect.DeepEqual(after.capabilities(names), was) &&
			docs[2].same(text, names...) == nil {
			return []byte(text), nil
		}
	}
	return nil, cannot("changed", "somebody has changed the same lines since")
}

// SameButCapabilities reports whether two texts of a file mean the same but for the capabilities of
// services.
func SameButCapabilities(a, b []byte) bool {
	was, err1 := parse("", a)
	is, err2 := parse("", b)
	if err1 != nil || err2 != nil {
		return false
	}
	return was.same(string(b), append(was.services(), is.services()...)...) == nil
}

// services are the names of the services that the file mentions.
func (d *document) services() (names []string) {
	_, all := value(d.root, "services")
	if all = resolved(all); all == nil || all.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(all.Content); i += 2 {
		names = append(names, all.Content[i].Value)
	}
	return names
}

// capabilities returns the services' three keys in the file.
func (d *document) capabilities(services []string) map[string]any {
	budget := 200_000
	doc, _ := plainValue(d.root, &budget, 0).(map[string]any)
	all, _ := doc["services"].(map[string]any)
	out := map[string]any{}
	for _, name := range services {
		s, ok := all[name].(map[string]any)
		if !ok {
			continue
		}
		for _, key := range []string{keyAdd, keyDrop, keyPrivileged} {
			out[name+"\x00"+key] = s[key]
		}
	}
	return out
}

// merge brings together what two have made of a text, piece by piece; false where they have changed
// the same.
func merge(base, ours, theirs []string) (string, bool) {
	a, b := hunksOf(base, ours), hunksOf(base, theirs)
	for _, x := range a {
		if slices.ContainsFunc(b, x.clashes) {
			return "", false
		}
	}
	all := append(a, b...)
	slices.SortStableFunc(all, func(x, y hunk) int {
		if x.was != y.was {
			return x.was - y.was
		}
		return len(x.out) - len(y.out) // what only comes in stands before what goes out
	})
	var out bytes.Buffer
	at := 0
	write := func(list []string) {
		for _, s := range list {
			out.WriteString(s)
		}
	}
	for _, h := range all {
		write(base[at:h.was])
		write(h.new)
		at = h.was + len(h.out)
	}
	write(base[at:])
	return out.String(), true
}

// clashes reports whether two hunks are about the same pieces, or put something in at the same
// place.
func (h hunk) clashes(other hunk) bool {
	if len(h.out) == 0 && len(other.out) == 0 {
		return h.was == other.was
	}
	return h.was < other.was+len(other.out) && other.was < h.was+len(h.out)
}

// splitWords splits a text into words, white space and single signs.
func splitWords(s string) (out []string) {
	kind := func(r rune) int {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '_':
			return 1
		case r == ' ', r == '\t':
			return 2
		}
		return 0
	}
	from, last := 0, 0
	for i, r := range s {
		k := kind(r)
		if i > from && (k != last || k == 0) {
			out = append(out, s[from:i])
			from = i
		}
		last = k
	}
	if from < len(s) {
		out = append(out, s[from:])
	}
	return out
}
