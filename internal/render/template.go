package render

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"text/template"

	"github.com/docker/cli/cli/command/formatter/tabwriter"

	"dropcap"
)

// isTemplate distinguishes a template from a name as docker does: by its braces, or "table" before
// something else.
func isTemplate(format string) bool {
	return strings.Contains(format, "{{") || strings.HasPrefix(format, "table ") ||
		strings.HasPrefix(format, `table\t`)
}

// auditTemplate executes a template for each container, on a line each; with "table" before it,
// aligned and under a head.
func auditTemplate(w io.Writer, format string, s audits, o Options) error {
	t, err := parseTemplate(format)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, a := range s.each {
		for _, c := range a.Containers {
			if err := t.Execute(&b, newContainer(c, a.Host, o.NoTrunc)); err != nil {
				return templateError(format, err)
			}
			b.WriteByte('\n')
		}
	}
	if !isTable(format) {
		_, err = io.WriteString(w, b.String())
		return err
	}
	return writeTable(w, t, head(), b.String())
}

// writeTable aligns rows by their tabs, with docker's own writer and settings (docker/cli
// formatter.go, postFormat).
func writeTable(w io.Writer, t *template.Template, head map[string]string, rows string) error {
	var b strings.Builder
	tab := tabwriter.NewWriter(&b, 10, 1, 3, ' ', 0)
	// a head that cannot be built is left out, as in docker
	_ = t.Funcs(headFuncs()).Execute(tab, head)
	if _, err := io.WriteString(tab, "\n"+rows); err != nil {
		return err
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func isTable(format string) bool { return strings.HasPrefix(format, "table") }

func parseTemplate(format string) (*template.Template, error) {
	text := strings.Trim(strings.TrimPrefix(format, "table"), " ")
	// shells pass them as two characters
	text = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(text)
	t, err := template.New("format").Funcs(templateFuncs()).Parse(text)
	if err != nil {
		return nil, templateError(format, err)
	}
	return t, nil
}

// checkTemplate executes the template for a container with one of everything, to test ranges and
// conditions over its fields too.
func checkTemplate(format string) error {
	t, err := parseTemplate(format)
	if err != nil {
		return err
	}
	sample := dropcap.Judged{Verdict: dropcap.Fail,
		Findings: []dropcap.Finding{{Rule: dropcap.RuleAdded}}}
	sample.ID, sample.Name = strings.Repeat("0", 64), "sample"
	sample.Declared.Add, sample.Declared.Drop = []string{"CAP_NET_ADMIN"}, []string{"ALL"}
	err = t.Execute(io.Discard, newContainer(sample, dropcap.Host{}, true))
	if err != nil && unknownField.MatchString(err.Error()) {
		return templateError(format, err)
	}
	return nil // other failures may be the sample's fault
}

var unknownField = regexp.MustCompile(`can't evaluate field (\w+) in type (\S+)`)

func templateError(format string, err error) error {
	hint := "see https://pkg.go.dev/text/template; functions: json, split, join, title, lower, " +
		"upper, pad, truncate"
	if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
		hint = "fields: " + strings.Join(fieldsOf(m[2]), ", ")
		err = fmt.Errorf("it has no field %s", m[1])
	}
	var exec template.ExecError
	if errors.As(err, &exec) {
		err = exec.Err
	}
	return dropcap.Errorf(dropcap.CodeUsage, hint, "cannot use %q as a template: %w",
		visible(format), err)
}

// fieldsOf lists the fields of the type on which a template failed.
func fieldsOf(typeName string) []string {
	for _, v := range []any{Finding{}, Waiver{}, Step{}, Retain{}, Change{}, Event{}} {
		if t := reflect.TypeOf(v); t.String() == strings.TrimPrefix(typeName, "*") {
			return fieldNames(t)
		}
	}
	return fieldNames(reflect.TypeOf(Container{}))
}

func fieldNames(t reflect.Type) []string {
	var l []string
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			l = append(l, "."+f.Name)
		}
	}
	return l
}
