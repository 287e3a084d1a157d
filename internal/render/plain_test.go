package render

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"dropcap"
)

// TestTemplateOfTheWholeContainerTellsNoLabelValues: {{.}} prints with fmt everything within.
func TestTemplateOfTheWholeContainerTellsNoLabelValues(t *testing.T) {
	c := fixture(1, hostileName, "app:1", "exited")
	c.LabelValues = map[string]string{"token": "canary"}
	a := dropcap.Audit{Containers: []dropcap.Judged{c}}
	for _, format := range []string{"{{.}}", "{{print .}}", `{{printf "%v" .}}`,
		`{{printf "%+v" .}}`, `{{printf "%#v" .}}`, `{{printf "%s" .}}`, `{{printf "%d" .}}`,
		`{{printf "%d" .Name}}`, "{{json .}}"} {
		var b bytes.Buffer
		if err := Audit(&b, format, a, Options{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "canary") {
			t.Errorf("%s tells the value of a label: %s", format, b.String())
		}
		wantPlain(t, format, b.String())
	}
}

// TestHostileEngineMovesNoTerminal: names of capabilities come from the engine too.
func TestHostileEngineMovesNoTerminal(t *testing.T) {
	c := fixture(1, hostileName, hostileName, hostileName)
	c.ID, c.Declared.Add, c.Declared.Drop = hostileName, []string{hostileName},
		[]string{hostileName}
	a := dropcap.Audit{Containers: []dropcap.Judged{c}}
	for _, format := range append(Formats(), "{{.CapAdd}} {{.CapDrop}}",
		"table {{.ID}}\t{{.State}}") {
		if format == "html" { // which has its own test, in a browser
			continue
		}
		var b bytes.Buffer
		if err := Audit(&b, format, a, Options{NoTrunc: true}); err != nil {
			t.Fatal(err)
		}
		wantPlain(t, format, strings.ReplaceAll(b.String(), "\r\n", "\n"))
	}
}

func TestJSONMovesNoTerminal(t *testing.T) {
	for _, write := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return JSON(b, []string{hostileName}) },
		func(b *bytes.Buffer) error { return JSONLine(b, []string{hostileName}) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		wantPlain(t, "JSON", b.String())
	}
}

func wantPlain(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && r != ' ' && !unicode.IsPrint(r) {
			t.Errorf("%s has %q", what, r)
		}
	}
}
