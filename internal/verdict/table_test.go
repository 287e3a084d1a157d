package verdict

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

var update = flag.Bool("update", false, "write the tables and documents that tests compare with")

// A line of a table: what was done, the check, the system call with flags, the call path, and the
// expected verdict.
type line struct {
	name, check, call, path, want string
}

// read parses a table; it keeps lines that begin with # as they are.
func read(t *testing.T, file string) (lines []line, comments []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if l == "" || strings.HasPrefix(l, "#") {
			comments = append(comments, l)
			continue
		}
		f := strings.Split(l, " | ")
		for len(f) < 5 {
			f = append(f, "")
		}
		if len(f) != 5 {
			t.Fatalf("%s:%d: %d fields, want 5", file, i+1, len(f))
		}
		lines = append(lines, line{name: f[0], check: f[1], call: f[2], path: f[3], want: f[4]})
	}
	return lines, comments
}

func (l line) kernelCheck(t *testing.T) dropcap.KernelCheck {
	t.Helper()
	name, outcome, _ := strings.Cut(l.check, " ")
	c, err := caps.Parse(name)
	if err != nil {
		t.Fatalf("%s: %v", l.name, err)
	}
	k := dropcap.KernelCheck{Cap: c, Granted: outcome == dropcap.Granted, OwnCred: true, Count: 1,
		Frames: strings.Fields(l.path)}
	for i, word := range strings.Fields(l.call) {
		switch {
		case i == 0:
			k.Syscall = word
		case word == "other-cred":
			k.OwnCred = false
		case word == "beyond":
			k.Reach = dropcap.ReachBeyond
		case word == "nested":
			k.Reach = dropcap.ReachNested
		case strings.HasPrefix(word, "uid="):
			k.UID = 1000
		case args[word] != 0:
			k.Arg = args[word]
		default:
			t.Fatalf("%s: unknown flag %q", l.name, word)
		}
	}
	return k
}

var args = map[string]dropcap.Arg{
	"foreign": dropcap.ArgForeign, "saved": dropcap.ArgSaved, "current": dropcap.ArgCurrent,
	"bit": dropcap.ArgSetIDBit, "no-bit": dropcap.ArgNoSetID,
	"raise": dropcap.ArgRaise, "inherit-within": dropcap.ArgInheritWithin,
	"inherit-more": dropcap.ArgInheritMore,
	"look":         dropcap.ArgLook, "ambient": dropcap.ArgAmbient,
}

func told(v Verdict) string {
	s := fmt.Sprintf("%s %s at %s", v.Rule, v.Class, v.Site)
	if !v.Or.Empty() {
		s += " or " + v.Or.Short()
	}
	return s
}

// The paths of observed-6.18.txt were recorded on a running kernel, with a program that makes each
// call; its verdicts are reviewed by hand. Those of other versions follow the sources of these
// versions.
func TestVerdictOfEachCallPath(t *testing.T) {
	for _, file := range []string{"testdata/observed-6.18.txt", "testdata/older.txt"} {
		lines, comments := read(t, file)
		var b strings.Builder
		b.WriteString(strings.Join(comments, "\n") + "\n")
		for _, l := range lines {
			got := told(Of(l.kernelCheck(t)))
			fmt.Fprintf(&b, "%s | %s | %s | %s | %s\n", l.name, l.check, l.call, l.path, got)
			if got != l.want && !*update {
				t.Errorf("%s: %s, %s (%s)\n got %s\nwant %s", file, l.name, l.check, l.path, got,
					l.want)
			}
		}
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Each rule must judge some line of the tables, or it is useless.
func TestEachRuleJudgesSomething(t *testing.T) {
	used := map[string]bool{}
	for _, file := range []string{"testdata/observed-6.18.txt", "testdata/older.txt"} {
		lines, _ := read(t, file)
		for _, l := range lines {
			used[Of(l.kernelCheck(t)).Rule] = true
		}
	}
	seen := map[string]bool{}
	for _, r := range rules {
		if seen[r.Name] {
			t.Errorf("two rules are called %s", r.Name)
		}
		seen[r.Name] = true
		if !used[r.Name] {
			t.Errorf("no call path of the tables is judged by rule %s", r.Name)
		}
		if r.Because == "" || r.Source == "" || r.Class == "" || r.Caps.Empty() ||
			(r.when != nil) != (r.When != "") {
			t.Errorf("rule %s is not whole: %+v", r.Name, r)
		}
		if (r.Class == dropcap.Alternative) != !r.Or.Empty() {
			t.Errorf("rule %s is %s, or %s", r.Name, r.Class, r.Or)
		}
	}
}
