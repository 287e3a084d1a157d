package render

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Whoever may start a container chooses its name, labels and process names, and whoever serves the
// engine's socket chooses the rest. None of it may act on the program that displays the output.
// Each escaper here protects one kind of reader.

// visible protects terminals, and people who read lines. It writes control characters and ESC
// sequences, line breaks, bidirectional overrides, zero-width characters and invalid UTF-8 as in a
// Go string (\n, \x1b, \u202e, \xff). Visible characters stay as they are, wide and combining ones
// too.
func visible(s string) string {
	if isVisible(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case strconv.IsPrint(r):
			b.WriteString(s[:n])
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		s = s[n:]
	}
	return b.String()
}

func isVisible(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return !strconv.IsPrint(r)
	}) < 0
}

// asciiJSON protects a terminal that shows JSON: what visible would escape becomes \uXXXX, which
// means the same to a parser. The input comes from encoding/json, so such characters occur in
// strings only, and those below U+0020 are escaped already.
func asciiJSON(doc string) string {
	if strings.IndexFunc(doc, hiddenInJSON) < 0 {
		return doc
	}
	var b strings.Builder
	for _, r := range doc {
		switch {
		case !hiddenInJSON(r):
			b.WriteRune(r)
		case r > 0xffff: // JSON has UTF-16 units only
			hi, lo := utf16Pair(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// hiddenInJSON includes U+FFFD: encoding/json writes it as \ufffd if it stands for a bad byte, and
// this way a document read back stays the same.
func hiddenInJSON(r rune) bool { return r != '\n' && !strconv.IsPrint(r) || r == utf8.RuneError }

func utf16Pair(r rune) (hi, lo rune) {
	r -= 0x10000
	return 0xd800 + r>>10, 0xdc00 + r&0x3ff
}

// csvCell protects spreadsheets: a cell that could be a formula, also behind spaces or invisible
// characters, gets a leading apostrophe, which makes it text. The full-width signs are formulas too
// in Japanese or Chinese locales.
func csvCell(s string) string {
	start := strings.TrimLeftFunc(s, func(r rune) bool {
		return r != '\t' && r != '\r' && (unicode.IsSpace(r) || !strconv.IsPrint(r))
	})
	if start != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", firstRune(start)) {
		return "'" + visible(s)
	}
	return visible(s)
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// markdownText protects renderers of GitHub-flavoured Markdown, in a table's cell or elsewhere
// within a line: it escapes every mark that can begin markup there. Mentions (@), references (#)
// and bare links (://, www.) are found by a later pass that ignores backslashes; an empty comment
// splits them.
func markdownText(s string) string {
	var b strings.Builder
	s = visible(s)
	for i, r := range s {
		if strings.ContainsRune("\\`*_[]<>|~@#&$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		if linksAt(s, i, r) {
			b.WriteString("<!-- -->")
		}
	}
	return b.String()
}

// linksAt reports whether r, at s[i], is the character that marks a mention, a reference or a bare
// link.
func linksAt(s string, i int, r rune) bool {
	switch r {
	case '@', '#':
		return true
	case ':':
		return strings.HasPrefix(s[i:], "://")
	case '.':
		return i >= 3 && strings.EqualFold(s[i-3:i], "www")
	default:
		return false
	}
}

// markdownCode returns a fenced block. The fence is longer than any run of backticks within, so
// that nothing closes it early.
func markdownCode(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "\n" + s + "\n" + fence + "\n"
}

// visibleLines is visible for text of several lines, such as an edit of a compose file.
func visibleLines(s string) []string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, l := range lines {
		lines[i] = visible(l)
	}
	return lines
}
