package render

import (
	"encoding/json"
	"io"
	"strings"
)

// auditJSON is the contract: the document, indented by two spaces.
func auditJSON(w io.Writer, s audits, _ Options) error {
	if s.fleet != nil {
		return fleetJSON(w, *s.fleet)
	}
	return JSON(w, s.first().Listed())
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

func listed[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
