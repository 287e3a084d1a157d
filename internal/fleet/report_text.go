package fleet

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// plainText makes a stranger's text one line of printable characters, and not longer than most of
// them.
func plainText(s string, most int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, s))
	units, end := 0, 0 // the services count as Java does: a character above U+FFFF is two
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
