package recreate

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var (
	// keyword is a name whose value nobody may see.
	keyword = regexp.MustCompile(`(?i)pass|pwd|secret|token|key|cred|auth|private|salt|dsn|bearer|session|cookie|sig(n|$)|cert`)
	// keyed is such a name with its value.
	keyed = regexp.MustCompile(`(?i)(pass|pwd|secret|token|key|cred|auth|private|salt|dsn|bearer|session|cookie|cert)[a-z0-9_.-]*['"]?\s*[=:\s]\s*\S`)
	// userinfo is a URL's user and password.
	userinfo = regexp.MustCompile(`://[^/@\s]*:[^/@\s]+@`)
	// word is what a random string would be part of.
	word    = regexp.MustCompile(`[A-Za-z0-9+_-]{10,}`)
	digit   = regexp.MustCompile(`[0-9]`)
	letter  = regexp.MustCompile(`[A-Za-z]`)
	trivial = regexp.MustCompile(`^(true|false|yes|no|[0-9]{0,5}[kmg]?)$`)
)

// harmless are names of labels and of options of log drivers whose values say nothing that must not be seen. Others are hidden.
var harmless = []string{
	"com.docker.compose.", "com.docker.stack.", "org.opencontainers.image.", "org.label-schema.", "maintainer", "desktop.docker.io/",
	"max-size", "max-file", "compress", "mode", "max-buffer-size", "tag", "labels", "labels-regex", "env", "env-regex", "cache-disabled", "cache-max-size",
	"syslog-facility", "syslog-format", "awslogs-group", "awslogs-region", "awslogs-stream", "awslogs-create-group",
}

// hides tells whether a text may hold a secret: a name like "password" with a value, a password in a URL, what looks random, a value of the
// container's environment, or what would not be printed as it is.
func (r *Recipe) hides(text string) bool {
	if strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) || keyed.MatchString(text) || userinfo.MatchString(text) {
		return true
	}
	for _, w := range word.FindAllString(text, -1) {
		if digit.MatchString(w) && letter.MatchString(w) {
			return true
		}
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

// hidesPair is hides for a label or option.
func (r *Recipe) hidesPair(name, value string) bool {
	if trivial.MatchString(value) && !keyword.MatchString(name) {
		return r.hides(name)
	}
	known := slices.ContainsFunc(harmless, func(h string) bool { return name == h || strings.HasSuffix(h, ".") && strings.HasPrefix(name, h) })
	return !known || strings.ContainsFunc(value, func(c rune) bool { return !unicode.IsPrint(c) }) || userinfo.MatchString(value) ||
		slices.ContainsFunc(r.values(), func(v string) bool { return strings.Contains(value, v) })
}

// vault is the file beside a command: an environment for --env-file, and, in lines that --env-file takes for comments, what the line itself
// must not show.
type vault struct {
	name  string
	lines []string
	kept  int
}

// longest is how long a line may be for docker's reader of such a file (bufio.MaxScanTokenSize).
const longest = 60_000

// put keeps a text and gives the shell's words that fetch it.
func (v *vault) put(text string) string {
	v.kept++
	coded := base64.StdEncoding.EncodeToString([]byte(text))
	for first := true; first || coded != ""; first = false {
		n := min(len(coded), longest)
		v.lines = append(v.lines, fmt.Sprintf("#%d %s", v.kept, coded[:n]))
		coded = coded[n:]
	}
	return fmt.Sprintf("sed -n 's/^#%d //p' %s | base64 -d", v.kept, quote(v.name))
}

// hide is put as an argument.
func (v *vault) hide(text string) string { return `"$(` + v.put(text) + `)"` }

// word is a text as a word of the shell, hidden if it would not be printed as it is.
func (v *vault) word(text string) string {
	if plainText(text) {
		return quote(text)
	}
	return v.hide(text)
}

func (v *vault) contents() []byte {
	if len(v.lines) == 0 {
		return nil
	}
	return []byte(strings.Join(v.lines, "\n") + "\n")
}

var bare = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// quote makes one word of a text for sh (POSIX, 2.2.2 Single-Quotes).
func quote(s string) string {
	if bare.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
