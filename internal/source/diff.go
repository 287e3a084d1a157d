package source

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"dropcap/caps"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
)

// Diff shows edits as a patch without context, since the lines beside may hold secrets (`patch -p0`
// and `git apply --unidiff-zero` take it). Where a changed line itself says more than capabilities,
// it says in words what is to be written there.
func Diff(edited []Edited, service string, d Declaration) string {
	return Patch(edited, []Wanted{{service, d}})
}

// Patch is Diff for several services.
func Patch(edited []Edited, wanted []Wanted) string {
	var b strings.Builder
	for _, e := range edited {
		hunks := hunksOf(splitLines(string(e.Was)), splitLines(string(e.Is)))
		var text strings.Builder
		fmt.Fprintf(&text, "--- %[1]s\n+++ %[1]s\n", printable.Line(e.Path))
		harmless := true
		for _, h := range hunks {
			harmless = harmless && h.harmless()
			h.write(&text)
		}
		if !harmless {
			text.Reset()
			fmt.Fprintf(&text, "in %s, line %d:\n%s", printable.Line(e.Path), hunks[0].was+1,
				wordsOf(wanted))
		}
		b.WriteString(text.String())
	}
	return b.String()
}

// Words returns the text for a service, in YAML.
func Words(service string, d Declaration) string { return wordsOf([]Wanted{{service, d}}) }

func wordsOf(wanted []Wanted) string {
	var b strings.Builder
	b.WriteString("services:\n")
	for _, w := range wanted {
		text := owner.ServiceYAML(w.Service, w.Was.Privileged && !w.Is.Privileged, w.Is)
		b.WriteString(strings.TrimPrefix(text, "services:\n"))
		if !w.Was.Privileged && w.Is.Privileged {
			b.WriteString("    privileged: true\n")
		}
	}
	return b.String()
}

// hunk is a run of lines that differ; was and is are the first of them, from 0.
type hunk struct {
	was, is  int
	out, new []string
}

func splitLines(s string) []string { return strings.SplitAfter(s, "\n") }

// hunksOf compares line by line. The edits are few and small, so after what is equal at both ends a
// plain table of the longest common subsequence does; where that would be large, the middle is one
// hunk.
func hunksOf(was, is []string) []hunk {
	if len(was) > 0 && was[len(was)-1] == "" {
		was = was[:len(was)-1]
	}
	if len(is) > 0 && is[len(is)-1] == "" {
		is = is[:len(is)-1]
	}
	head := 0
	for head < len(was) && head < len(is) && was[head] == is[head] {
		head++
	}
	tail := 0
	for tail < len(was)-head && tail < len(is)-head && was[len(was)-1-tail] == is[len(is)-1-tail] {
		tail++
	}
	a, b := was[head:len(was)-tail], is[head:len(is)-tail]
	const most = 4 << 20
	if len(a)*len(b) > most {
		return []hunk{{was: head, is: head, out: a, new: b}}
	}
	return subsequence(a, b, head)
}

func subsequence(a, b []string, head int) []hunk {
	common := make([][]int32, len(a)+1)
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var out []hunk
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if i < len(a) && j < len(b) && a[i] == b[j] {
			i, j = i+1, j+1
			continue
		}
		h := hunk{was: head + i, is: head + j}
		for (i < len(a) || j < len(b)) && !(i < len(a) && j < len(b) && a[i] == b[j]) {
			if j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1] {
				h.out = append(h.out, a[i])
				i++
			} else {
				h.new = append(h.new, b[j])
				j++
			}
		}
		out = append(out, h)
	}
	return out
}

// longestLine is more than all capabilities take with their quotes.
const longestLine = 1200

// aboutCaps is a line that holds nothing but capabilities; not even a comment, in which anything
// may stand.
var aboutCaps = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^[ \t]*(["']?(cap_add|cap_drop|privileged)["']?[ ]*:[ ]*)?(\*[A-Za-z0-9_.-]+|&[A-Za-z0-9_.-]+)?-?[ \t]*\[?[A-Za-z_"', ]*\]?,?[ \t]*\r?\n?$`)
})

func (h hunk) harmless() bool {
	for _, l := range append(append([]string{}, h.out...), h.new...) {
		if len(l) > longestLine || !aboutCaps().MatchString(l) {
			return false
		}
		for _, word := range aWord().FindAllString(l, -1) {
			if !knownWord(word) {
				return false
			}
		}
	}
	return true
}

var aWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[A-Za-z_]+`)
})

// knownWord reports whether a word is a key, a boolean or a capability's name, in any spelling.
func knownWord(w string) bool {
	_, err := caps.Parse(w)
	return err == nil || slices.Contains([]string{keyAdd, keyDrop, keyPrivileged, "true", "false",
		caps.All}, w) || caps.ShortName(w) == caps.All
}

func (h hunk) write(b *strings.Builder) {
	fmt.Fprintf(b, "@@ -%s +%s @@\n", span(h.was, len(h.out)), span(h.is, len(h.new)))
	for _, l := range h.out {
		writeLine(b, "-", l)
	}
	for _, l := range h.new {
		writeLine(b, "+", l)
	}
}

// span is a range as POSIX diff says it: of nothing, the line before.
func span(at, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", at)
	case 1:
		return fmt.Sprint(at + 1)
	}
	return fmt.Sprintf("%d,%d", at+1, n)
}

func writeLine(b *strings.Builder, sign, line string) {
	b.WriteString(sign + strings.TrimSuffix(line, "\n") + "\n")
	if !strings.HasSuffix(line, "\n") {
		b.WriteString("\\ No newline at end of file\n")
	}
}
