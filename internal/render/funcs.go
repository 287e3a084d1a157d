package render

import (
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"unicode"

	"github.com/docker/cli/templates"
)

// templateFuncs are docker's (docker/cli templates.go), with Text in place of strings; json and
// join behave as docker's on values of any kind.
func templateFuncs() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			s, err := encode(v, "")
			return strings.TrimSpace(s), err
		},
		"join":     joined,
		"split":    func(v any, sep string) []string { return strings.Split(fmt.Sprint(v), sep) },
		"lower":    func(v any) string { return strings.ToLower(fmt.Sprint(v)) },
		"upper":    func(v any) string { return strings.ToUpper(fmt.Sprint(v)) },
		"title":    func(v any) string { return title(fmt.Sprint(v)) },
		"pad":      padded,
		"truncate": truncated,
	}
}

// joined puts a separator between the members of a list of any kind; any other value is an error.
func joined(v any, sep string) (string, error) {
	if v == nil {
		return "", nil
	}
	list := reflect.ValueOf(v)
	if k := list.Kind(); k != reflect.Slice && k != reflect.Array {
		return "", fmt.Errorf("join takes a list, not %T", v)
	}
	parts := make([]string, list.Len())
	for i := range parts {
		parts[i] = fmt.Sprint(list.Index(i).Interface())
	}
	return strings.Join(parts, sep), nil
}

// padded puts spaces around a value unless it is empty.
func padded(v any, before, after int) (string, error) {
	if before < 0 || after < 0 {
		return "", fmt.Errorf("pad takes no negative width")
	}
	s := fmt.Sprint(v)
	if s == "" {
		return s, nil
	}
	return strings.Repeat(" ", before) + s + strings.Repeat(" ", after), nil
}

// truncated counts characters, where docker counts bytes and splits characters.
func truncated(v any, length int) (string, error) {
	if length < 0 {
		return "", fmt.Errorf("truncate takes no negative length")
	}
	r := []rune(fmt.Sprint(v))
	return string(r[:min(length, len(r))]), nil
}

// title capitalises every word; it is used on ASCII words.
func title(s string) string {
	start := true
	return strings.Map(func(r rune) rune {
		was := start
		start = !unicode.IsLetter(r) && !unicode.IsDigit(r)
		if was {
			return unicode.ToTitle(r)
		}
		return r
	}, s)
}

// headFuncs leave a column's name as it is.
func headFuncs() template.FuncMap { return templates.HeaderFunctions }

// head is the value for the first line of a table's template: every field's name as docker writes
// it, "CAP ADD".
func head() map[string]string {
	h := map[string]string{
		"ID": "CONTAINER ID", "ImageID": "IMAGE ID", "CapAdd": "CAP ADD", "CapDrop": "CAP DROP",
		"NoNewPrivs": "NO NEW PRIVS",
		"UserNS":     "USER NS", "GaveUp": "GAVE UP", "WhyNot": "WHY NOT",
	}
	for _, f := range fieldNames(reflect.TypeFor[Container]()) {
		f = strings.TrimPrefix(f, ".")
		if h[f] == "" {
			h[f] = strings.ToUpper(f)
		}
	}
	return h
}
