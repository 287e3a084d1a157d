package printable

import "strings"

// mostShell is how many bytes of a word Shell shows: a program for jq fits, and a name that
// somebody made up to flood a terminal does not.
const mostShell = 4 << 10

// Shell returns the text as one word of a POSIX shell, safe to paste: in single quotes unless it is
// plain. It is made safe to show as by Cut.
func Shell(s string) string {
	s = Cut(s, mostShell)
	if s != "" && strings.IndexFunc(s, special) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func special(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letter && !strings.ContainsRune("_-./:@+%=,", r)
}
