package metrics

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"dropcap/internal/printable"
)

// The kinds of families.
const (
	gauge   = "gauge"
	counter = "counter"
)

// family is a metric with its samples, by Prometheus's text format 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats).
type family struct {
	name, help, kind string
	samples          []sample
}

type sample struct {
	labels []string // name, value, name, value …
	value  float64
}

func newFamily(name, kind, help string) *family {
	return &family{name: name, help: help, kind: kind}
}

// add adds a sample; the labels are names and values in turn.
func (f *family) add(value float64, labels ...string) {
	f.samples = append(f.samples, sample{labels, value})
}

// addTime adds the seconds since 1970; a time that is not known is left out.
func (f *family) addTime(t time.Time, labels ...string) {
	if !t.IsZero() {
		f.add(float64(t.UnixMilli())/1000, labels...)
	}
}

// writeText writes the families that have samples, each sorted by its labels, so that two
// expositions of the same state are equal.
func writeText(w io.Writer, families []*family) error {
	b := bufio.NewWriter(w)
	for _, f := range families {
		if len(f.samples) == 0 {
			continue
		}
		b.WriteString("# HELP " + f.name + " " + helpEscapes.Replace(f.help) + "\n")
		b.WriteString("# TYPE " + f.name + " " + f.kind + "\n")
		lines := make([]string, len(f.samples))
		for i, s := range f.samples {
			lines[i] = f.name + s.text() + " " + strconv.FormatFloat(s.value, 'f', -1, 64) + "\n"
		}
		slices.Sort(lines)
		for _, l := range lines {
			b.WriteString(l)
		}
	}
	return b.Flush()
}

func (s sample) text() string {
	if len(s.labels) == 0 {
		return ""
	}
	var b strings.Builder
	for i := 0; i+1 < len(s.labels); i += 2 {
		sep := ","
		if i == 0 {
			sep = "{"
		}
		b.WriteString(sep + s.labels[i] + `="` + labelEscapes.Replace(plain(s.labels[i+1])) + `"`)
	}
	return b.String() + "}"
}

var (
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// longestLabel bounds the value of a label, in bytes: names come from labels of containers.
const longestLabel = 200

// plain makes a value that a container controls one short line of valid UTF-8.
func plain(value string) string { return printable.Cut(value, longestLabel) }
