// Package printable makes text that others control safe to show on one line. Every room may use it.
package printable

import (
	"strconv"
	"strings"
	"unicode"
)

// Line returns the text with each control or otherwise unprintable character replaced by "?", so
// that it stays on one line and moves nothing on a terminal.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// Cut is like Line but returns at most so many bytes; longer text ends in "...".
func Cut(s string, most int) string {
	s = Line(strings.ToValidUTF8(s, "?"))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// Count returns "1 container" or "2 containers" for the word "container".
func Count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}
