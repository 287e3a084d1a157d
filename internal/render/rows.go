package render

import (
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"dropcap"
)

// writeRows executes a template for each row, on a line each; with "table" before it, aligned and
// under a head.
func writeRows[T any](w io.Writer, format string, rows []T) error {
	t, err := parseTemplate(format)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, r := range rows {
		if err := t.Execute(&b, r); err != nil {
			return templateError(format, err)
		}
		b.WriteByte('\n')
	}
	if !isTable(format) {
		_, err = io.WriteString(w, b.String())
		return err
	}
	return writeTable(w, t, headOf(reflect.TypeFor[T]()), b.String())
}

// checkRows reports an unknown name, and a template that does not parse or uses a field that a row
// lacks.
func checkRows[T any](format string, known []string, sample T) error {
	if !isTemplate(format) {
		if slices.Contains(known, format) {
			return nil
		}
		return dropcap.Errorf(dropcap.CodeUsage, "use one of "+strings.Join(known, ", ")+
			`, or a template such as '{{.Name}}'`,
			"cannot use %q as a format", visible(format))
	}
	t, err := parseTemplate(format)
	if err != nil {
		return err
	}
	if err := t.Execute(io.Discard, sample); err != nil && unknownField.MatchString(err.Error()) {
		return templateError(format, err)
	}
	return nil // other failures may be the sample's fault
}

var wordEnd = regexp.MustCompile(`([a-z])([A-Z])`)

// headOf names the columns of a table's template as docker does: "ID", "CAP ADD", "DOWNTIME MS".
func headOf(t reflect.Type) map[string]string {
	h := map[string]string{}
	for _, f := range fieldNames(t) {
		f = strings.TrimPrefix(f, ".")
		h[f] = strings.ToUpper(wordEnd.ReplaceAllString(f, "$1 $2"))
	}
	return h
}
