package recreate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// What to hide depends on the field, never on the value: secrets have no recognisable form. Closed
// are the fields in which people put secrets: the environment, the entrypoint, arguments and health
// check, labels, annotations, options of drivers (logs, volumes, networks, storage). A value that
// equals the image's at the same position is public with the image. Open is what the engine or the
// kernel interprets: names, addresses, paths, numbers.

// userinfo is a URL's user and password.
var userinfo = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`://[^/@\s]*:[^/@\s]+@`)
})

// hides reports whether a value of an open field is hidden nevertheless: a password in a URL, a
// value of the container's own environment, or what is not printable as it is.
func (r *Recipe) hides(text string) bool {
	if !plainText(text) || userinfo().MatchString(text) {
		return true
	}
	return slices.ContainsFunc(r.values(), func(v string) bool { return strings.Contains(text, v) })
}

// values returns the values of the container's own environment that are long enough to be
// recognised.
func (r *Recipe) values() []string {
	var out []string
	for _, entry := range r.ownEnv() {
		if _, v, _ := strings.Cut(entry, "="); len(v) >= 6 {
			out = append(out, v)
		}
	}
	return out
}

// vault is the file beside a command: an environment for --env-file, and, in lines that --env-file
// skips as comments, the words that the command must not show, as the shell's positional
// parameters.
type vault struct {
	name  string
	lines []string // of the environment
	words []string
}

// longest is the longest line that docker can read from such a file (bufio.MaxScanTokenSize).
const longest = 60_000

// mark begins each line of the file that holds words.
const mark = "#- "

// hide stores a text and returns the shell word for it.
func (v *vault) hide(text string) string {
	v.words = append(v.words, text)
	if n := len(v.words); n > 9 {
		return fmt.Sprintf(`"${%d}"`, n)
	}
	return fmt.Sprintf(`"$%d"`, len(v.words))
}

// word returns a text as a shell word, hidden if it is not printable as it is.
func (v *vault) word(text string) string {
	if plainText(text) {
		return quote(text)
	}
	return v.hide(text)
}

// fetch returns the shell command that reads the words from the file. It fails without the file, so
// it comes before anything is stopped. Empty: no file is needed.
func (v *vault) fetch() string {
	switch {
	case len(v.words) > 0:
		return fmt.Sprintf(`args=$(sed -n 's/^%s//p' %s) && eval "set -- $args"`, mark,
			quote(v.name))
	case len(v.lines) > 0:
		return "test -r " + quote(v.name)
	}
	return ""
}

func (v *vault) contents() []byte {
	var out strings.Builder
	for _, l := range v.lines {
		out.WriteString(l + "\n")
	}
	for i, w := range v.words {
		lines := quotedLines(w)
		if i < len(v.words)-1 {
			lines[len(lines)-1] += ` \` // one command of several lines
		}
		for _, l := range lines {
			out.WriteString(mark + l + "\n")
		}
	}
	if out.Len() == 0 {
		return nil
	}
	return []byte(out.String())
}

// quotedLines returns a text as one word for sh, on as many lines as the text has, and none too
// long for docker: two quoted parts with an escaped line break between them are one word.
func quotedLines(text string) []string {
	var out []string
	var line strings.Builder
	line.WriteByte('\'')
	for _, c := range text {
		switch {
		case c == '\n':
			out = append(out, line.String())
			line.Reset()
			continue
		case c == '\'':
			line.WriteString(`'\''`)
		case c != 0: // the engine refuses it, and no shell could pass it
			line.WriteRune(c)
		}
		if line.Len() > longest {
			out = append(out, line.String()+`'\`)
			line.Reset()
			line.WriteByte('\'')
		}
	}
	return append(out, line.String()+"'")
}

var bare = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)
})

// quote returns a text as one word for sh (POSIX, 2.2.2 Single-Quotes).
func quote(s string) string {
	if bare().MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// plainText reports whether a text can be printed as it is.
func plainText(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}
