package render

import (
	"encoding/json"
	"io"
	"strings"

	"dropcap"
)

// auditJSON is the contract: the document, indented by two spaces.
func auditJSON(w io.Writer, s audits, _ Options) error {
	if s.fleet != nil {
		return fleetJSON(w, *s.fleet)
	}
	return JSON(w, normal(s.first()))
}

// JSON writes any document, indented by two spaces, without anything that could control a terminal.
func JSON(w io.Writer, v any) error { return writeEncoded(w, v, "  ") }

// JSONLine is like JSON, on one line.
func JSONLine(w io.Writer, v any) error { return writeEncoded(w, v, "") }

func writeEncoded(w io.Writer, v any, indent string) error {
	s, err := encode(v, indent)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, s)
	return err
}

// encode returns JSON that ends in a newline. It does not escape HTML, since nobody pastes it into
// a page, but it does escape what could control a terminal.
func encode(v any, indent string) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return asciiJSON(b.String()), nil
}

// normal replaces nil lists by empty ones, so that a script need not check them. The declared lists
// stay as the engine stored them: null and [] differ there.
func normal(a dropcap.Audit) dropcap.Audit {
	a.Host.LSM = listed(a.Host.LSM)
	a.Findings = listed(a.Findings)
	containers := make([]dropcap.Judged, len(a.Containers))
	for i, c := range a.Containers {
		containers[i] = normalContainer(c)
	}
	a.Containers = containers
	return a
}

func normalContainer(c dropcap.Judged) dropcap.Judged {
	c.Findings = listed(c.Findings)
	c.Labels = listed(c.Labels)
	c.Execs = listed(c.Execs)
	c.Kernel.Processes = listed(c.Kernel.Processes)
	return c
}

func listed[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
