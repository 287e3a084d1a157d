package render

import (
	"fmt"
	"io"
	"strings"

	"dropcap"
)

// Occurrence writes, for a person, what happened, as one line.
func Occurrence(w io.Writer, o dropcap.Occurrence) error {
	at, _, _ := strings.Cut(o.At, ".") // without fractions of a second
	severity := string(o.Severity)
	if severity == "" {
		severity = "-"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%sZ  %-8s  %-11s  ", visible(strings.TrimSuffix(at, "Z")), visible(severity),
		visible(string(o.Kind)))
	if o.Name != "" {
		b.WriteString(visible(o.Name) + ": ")
	} else if o.Container != "" {
		b.WriteString(visible(o.Container[:min(len(o.Container), 12)]) + ": ")
	}
	b.WriteString(visible(o.Because))
	if o.Fix != "" {
		b.WriteString("; fix: " + visible(o.Fix))
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}
