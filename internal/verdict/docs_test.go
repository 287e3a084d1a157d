package verdict

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

const docsHead = `# What a capability check means

<!-- Generated from the table of rules: go test ./internal/verdict -update -->

The kernel asks "may it?" far more often than anything depends on the answer. dropcap judges each check that it sees by the place in the
kernel that asked, the system call and its arguments. The first rule that fits decides; where none does, the verdict is **unknown** and the
capability is kept. Only rules of class advisory and ungrantable let a capability be dropped although a check of it was granted.

| class | means | keeps the capability |
| --- | --- | --- |
| decisive | without it this call fails | yes |
| alternative | one of several capabilities would do | one of them |
| silent | the call succeeds without it, but means something else | yes |
| static | a file's capabilities or a system call's filter depend on it; no check shows it | yes |
| inspected | the program names it in its own sets | yes |
| unknown | no rule knows the place | yes |
| advisory | the kernel asked, nothing depends on it | no |
| ungrantable | no capability of the container could grant it | no |

**Try without** is said of a need where the program alone knows whether it minds: programs often go on when the answer is no. Such a capability
is kept, and marked in evidence and plan; a trial tells. What a program only names in its own sets (capset), and what no rule knows, is marked too.

A place is a kernel function. Compilers put functions into their callers, differently by version, so each rule lists every function that the
question may seem to come from.

Two questions in a row are a pair: DAC_OVERRIDE granted as often as DAC_READ_SEARCH was denied at the same place, by the same program, was
asked for reads and searches only. The same goes for NET_ADMIN after NET_RAW on a socket's options, and SYS_ADMIN after BPF, PERFMON or CHECKPOINT_RESTORE.

`

// document writes the table of rules for people.
func document() string {
	var b strings.Builder
	b.WriteString(docsHead)
	for _, r := range rules {
		about := "any capability"
		if r.Caps != every {
			about = strings.ReplaceAll(r.Caps.Short(), ",", ", ")
		}
		fmt.Fprintf(&b, "## %s\n\n%s: **%s**", r.Name, about, r.Class)
		if !r.Or.Empty() {
			fmt.Fprintf(&b, " (or %s)", r.Or.Short())
		}
		fmt.Fprintf(&b, ". %s.\n\n", sentence(r.Because))
		for _, x := range []struct{ head, text string }{
			{"asked by", strings.Join(r.At, ", ")},
			{"on the way from", strings.Join(r.Under, ", ")},
			{"system calls", strings.Join(r.Syscalls, ", ")},
			{"if", r.When}, {"try without", strings.TrimPrefix(r.TryIf+": "+r.Try, ": ")},
			{"source", r.Source},
		} {
			if x.text != "" {
				fmt.Fprintf(&b, "- %s: %s\n", x.head, x.text)
			}
		}
		b.WriteString("\n")
	}
	return testenv.WrapMarkdown(b.String())
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func TestTheDocumentIsTheTable(t *testing.T) {
	file := filepath.Join(testenv.RepoRoot(t), "docs", "verdicts.md")
	if *update {
		if err := os.WriteFile(file, []byte(document()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != document() {
		t.Errorf("%s is not what the table of rules says; run go test ./internal/verdict -update",
			file)
	}
}
