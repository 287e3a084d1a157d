package recreate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// What is hidden goes by its position, never by its words: nobody can list how secrets look. Closed
// are the places in which people put them: the environment, the entrypoint, arguments and health
// check, labels, annotations, options of drivers (logs, volumes, networks, storage). What equals
// the image's own at the same place is public with the image. Open is what the engine or the kernel
// interprets: names, addresses, paths, numbers.

// userinfo is a URL's user and password.
var userinfo = regexp.MustCompile(`://[^/@\s]*:[^/@\s]+@`)

// hides reports whether what stands in an open place is hidden all the same: a password in a URL, a
// value of the container's own environment, or what would not be printed as it is.
func (r *Recipe) hides(text string) bool {
	if !plainText(text) || userinfo.MatchString(text) {
		return true
	}
	return slices.ContainsFunc(r.values(), func(v string) bool { return strings.Contains(text, v) })
}

// values are those of the container's own environment that are long enough to be recognised.
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
// takes for comments, the words that the command itself must not show, as the shell's positional
// parameters.
type vault struct {
	name  string
	lines []string // of the environment
	words []string
}

// longest is how long a line may be for docker's reader of such a file (bufio.MaxScanTokenSize).
const longest = 60_000

// mark begins each line of the file that holds words.
const mark = "#- "

// hide keeps a text and returns the shell's word for it.
func (v *vault) hide(text string) string {
	v.words = append(v.words, text)
	if n := len(v.words); n > 9 {
		return fmt.Sprintf(`"${%d}"`, n)
	}
	return fmt.Sprintf(`"$%d"`, len(v.words))
}

// word is a text as a word of the shell, hidden if it would not be printed as it is.
func (v *vault) word(text string) string {
	if plainText(text) {
		return quote(text)
	}
	return v.hide(text)
}

// fetch is the shell's command that takes the words out of the file; it fails where the file is not
// there, so it stands before anything is stopped. Empty: the file is not needed.
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

// quotedLines makes one word of a text for sh, on as many lines as the text has, and none too long
// for docker: two quoted parts with an escaped line break between them are one word.
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

var bare = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// quote makes one word of a text for sh (POSIX, 2.2.2 Single-Quotes).
func quote(s string) string {
	if bare.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// plainText reports whether a text can be printed as it is.
func plainText(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}
