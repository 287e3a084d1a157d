package printable

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Units is Line for at most so many UTF-16 code units, which is how services written in Java count:
// a character above U+FFFF is two. Line ends and tabs become spaces; longer text ends in "…".
func Units(s string, most int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, s))
	units, end := 0, 0
	for at, r := range s {
		units += utf16.RuneLen(r)
		if units < most {
			end = at + utf8.RuneLen(r)
		}
	}
	if units > most {
		return strings.TrimSpace(s[:end]) + "…"
	}
	return s
}
