package render

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropcap"
)

func consoleText(t *testing.T, p ConsolePage) string {
	t.Helper()
	var b strings.Builder
	if err := Console(&b, p, Options{Now: seenAt}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pages are one of each kind, and as large as a host may have them.
func pages() map[string]ConsolePage {
	audit, plan, changes := sample(), samplePlan(), sampleChanges()
	kinds := len(audit.Containers)
	for k := range 1000 {
		c := audit.Containers[k%kinds]
		c.Name = fmt.Sprintf("%s-%d-%s", c.Name, k, strings.Repeat("n", k%100))
		audit.Containers = append(audit.Containers, c)
		plan.Steps = append(plan.Steps, plan.Steps[k%5])
		changes.Changes = append(changes.Changes, changes.Changes[0])
	}
	facts := []string{"host: vm", "run:  01234567-89ab-cdef-0123-456789abcdef"}
	long := make([]string, 40)
	for k := range long {
		long[k] = "warning: " + strings.Repeat("it is so ", 100)
	}
	return map[string]ConsolePage{
		"audit": {Verdict: "FAIL: 9 of 11 containers", Facts: facts, Audit: &audit},
		"plan":  {Verdict: "TO CHANGE: 5", Facts: facts, Plan: &plan, Next: long},
		"warned": {Verdict: "DONE: 1 applied", Facts: facts, Changes: &changes, Notes: long[:8],
			Next: []string{"back: dropcap-backout"}},
		"changes": {Verdict: strings.Repeat("DONE ", 1000), Facts: facts, Changes: &changes},
	}
}

// The console's list shows 2,500 characters of both outputs, and its page 24,000 of one.
func TestAConsolesPageFitsWithItsVerdictFirst(t *testing.T) {
	for name, p := range pages() {
		text := consoleText(t, p)
		head, details, _ := strings.Cut(text, "\n\n")
		switch {
		case len(text) >= 24_000:
			t.Errorf("%s: %d bytes", name, len(text))
		case !strings.HasPrefix(text, p.Verdict[:11]):
			t.Errorf("%s begins with %.80q", name, text)
		case len(head) > 1250 && name != "warned":
			t.Errorf("%s: the verdict and what is next take %d bytes", name, len(head))
		case strings.Contains(head, "warning") && name == "warned" &&
			strings.Index(head, "warning") < strings.Index(head, "back:"):
			t.Errorf("%s: what to do next comes after the warnings", name)
		case !strings.Contains(head, "\nhost: vm\nrun:  01234567-"):
			t.Errorf("%s: %s", name, head)
		case len(details) < 18_000 ||
			!regexp.MustCompile(`\n\(\d+ lines more: .*\n$`).MatchString(text):
			t.Errorf("%s is cut without a word: %d bytes, %q", name, len(text),
				text[len(text)-100:])
		case strings.ContainsAny(text, "\x1b\r\x00\u202e"):
			t.Errorf("%s moves a terminal", name)
		}
	}
}

func TestWhatFailsIsReadBeforeWhatPasses(t *testing.T) {
	audit := sample()
	text := consoleText(t, ConsolePage{Verdict: "FAIL", Audit: &audit})
	var got []string
	for line := range strings.Lines(text) {
		for _, v := range []string{"fail", "unknown", "waived", "pass"} {
			if regexp.MustCompile(`  ` + v + `(  |\n)`).MatchString(line) {
				got = append(got, v)
			}
		}
	}
	want := slices.Clone(got)
	slices.SortStableFunc(want, func(x, y string) int {
		return urgency(dropcap.Verdict(x)) - urgency(dropcap.Verdict(y))
	})
	if len(got) != len(audit.Containers) || !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	plan := samplePlan()
	plan.Steps = append(plan.Steps, plan.Steps...)
	if text := consoleText(t, ConsolePage{Verdict: "TO CHANGE", Plan: &plan}); strings.Index(text,
		"refused") > strings.Index(text, "nothing to change") {
		t.Errorf("what is refused comes last:\n%s", text)
	}
}

func TestAShortPageIsWhole(t *testing.T) {
	text := consoleText(t, ConsolePage{Verdict: "PASS: all\x1b[2J\nis well", Facts: []string{"a"},
		Next: []string{"b"}})
	if text != "PASS: all\\x1b[2J\\nis well\na\nb\n" {
		t.Errorf("%q", text)
	}
}
