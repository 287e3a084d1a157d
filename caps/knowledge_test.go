package caps

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

var update = flag.Bool("update", false, "write docs/capabilities.md anew")

func known() []Knowledge { return knowledge[:] }

// texts returns every field that holds sentences, by name.
func (k Knowledge) texts() map[string]string {
	return map[string]string{"Permits": k.Permits, "Attack": k.Attack, "Limits": k.Limits,
		"NeededBy": k.NeededBy, "Without": k.Without}
}

func TestEveryCapabilityIsExplainedOnce(t *testing.T) {
	seen := map[Cap]int{}
	for _, part := range [][]Knowledge{knowledgeFiles, knowledgeProcess, knowledgeNet,
		knowledgeSystem} {
		for _, k := range part {
			seen[k.Cap]++
		}
	}
	for c := Cap(0); c <= Last; c++ {
		if seen[c] != 1 || c.Knowledge().Cap != c {
			t.Errorf("%s is explained %d times", c, seen[c])
		}
	}
}

var (
	capWord = regexp.MustCompile(`\bCAP_[A-Z_]+\b`)
	source  = regexp.MustCompile(
		`^([a-z_]+\([2-7]\)|CVE-20\d\d-\d{4,5}|[a-z0-9_/-]+\.[ch]( [A-Za-z_]\w+( and \w+)?)?|(moby|runc) \S+( \S+)?|.*\(.*20\d\d\))$`)
	notation = regexp.MustCompile(`  |\s$|^\s|[\n\t]|\.\.| ,`)
)

func TestTextsAreSentences(t *testing.T) {
	for _, k := range append(known(), Cap(41).Knowledge()) {
		for field, text := range k.texts() {
			if len(text) < 15 || len(text) > 900 || !strings.HasSuffix(text, ".") ||
				notation.MatchString(text) {
				t.Errorf("%s %s is no clean text: %q", k.Cap, field, text)
			}
			for _, w := range capWord.FindAllString(text, -1) {
				if _, err := Parse(w); err != nil {
					t.Errorf("%s %s: %v", k.Cap, field, err)
				}
			}
		}
		if len(k.Sources) == 0 || k.Sources[0] != "capabilities(7)" {
			t.Errorf("%s: sources are %q, want capabilities(7) first", k.Cap, k.Sources)
		}
		for _, s := range k.Sources {
			if !source.MatchString(s) {
				t.Errorf("%s: %q has no form of a source", k.Cap, s)
			}
		}
	}
}

// The grades are a judgement: changing one should need a change here too.
func TestSeverities(t *testing.T) {
	want := map[Severity]Set{
		Critical: Of(DacReadSearch, SysAdmin, SysModule, SysRawio),
		High:     Of(NetRaw, NetAdmin, SysPtrace, SysTime, Perfmon, BPF),
		Medium: Of(Chown, DacOverride, Fowner, Setgid, Setuid, Mknod, Setfcap, SysNice, SysResource,
			SysBoot, Syslog, AuditControl,
			MacAdmin),
	}
	got := map[Severity]Set{}
	for c := Cap(0); c <= Last; c++ {
		got[c.Severity()] |= Of(c)
	}
	for _, s := range []Severity{Critical, High, Medium} {
		if got[s] != want[s] {
			t.Errorf("%s: %s, want %s", s, got[s], want[s])
		}
	}
	if rest := UpTo(Last).Minus(want[Critical] | want[High] | want[Medium]); got[Low] != rest {
		t.Errorf("low: %s, want %s", got[Low], rest)
	}
}

func TestSeverityOfASetIsThatOfItsWorst(t *testing.T) {
	for _, tt := range []struct {
		set  Set
		want Severity
	}{
		{0, ""}, {Of(Kill), Low}, {Of(Kill, Chown), Medium}, {DockerDefaults, High},
		{DockerDefaults.Minus(Of(NetRaw)), Medium},
		{UpTo(Last), Critical}, {Of(50), High},
	} {
		if got := tt.set.Severity(); got != tt.want {
			t.Errorf("severity of %s = %q, want %q", tt.set, got, tt.want)
		}
	}
}

// Docker's seccomp profile opens system calls with these capabilities (moby profiles/seccomp
// default_linux.go, Includes.Caps), so the limits in each explanation must mention it.
func TestSeccompCouplingIsTold(t *testing.T) {
	coupled := Of(DacReadSearch, SysAdmin, SysBoot, SysChroot, SysModule, SysPacct, SysPtrace,
		SysRawio, SysTime, SysTtyConfig, SysNice,
		Syslog, BPF, Perfmon)
	for c := Cap(0); c <= Last; c++ {
		k := c.Knowledge()
		cited := strings.Contains(strings.Join(k.Sources, "|"), "moby profiles/seccomp default")
		if coupled.Has(c) && (!cited || !strings.Contains(k.Limits, "seccomp")) {
			t.Errorf("%s: seccomp opens system calls with it, and its limits or sources do not "+
				"say so", c)
		}
		if !coupled.Has(c) && cited && c != NetRaw {
			// NET_RAW cites the profile for what it does not block
			t.Errorf("%s: the seccomp profile does not know it", c)
		}
	}
}

func TestUnknownNumberIsSaidToBeUnknown(t *testing.T) {
	for _, c := range []Cap{41, 63, 255} {
		k := c.Knowledge()
		if k.Cap != c || k.Severity != High ||
			!strings.HasPrefix(k.Permits, "Not known to this dropcap") {
			t.Errorf("%s: %+v", c, k)
		}
	}
}

func TestDocumentIsCurrent(t *testing.T) {
	const path = "../docs/capabilities.md"
	want := document()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the table says; run go test ./caps -update", path)
	}
}

func document() []byte {
	var b bytes.Buffer
	b.WriteString("# What each capability lets an attacker do\n\n" +
		"The same as `dropcap explain CAPABILITY` prints. Written by `go test ./caps -update` " +
		"from the table in `caps/`; edit it there.\n\n" +
		"Severity is for an attacker who controls a root process of an ordinary Docker " +
		"container: the host's user namespace, its own\n" +
		"network, PID and IPC namespaces, the default seccomp and AppArmor profiles, no " +
		"devices.\n\n" +
		"- **critical**: a known way leads from that capability alone to the host.\n" +
		"- **high**: it reaches beyond the container's own namespaces (neighbours, the host's " +
		"clock, parts of the kernel with a record of\n" +
		"  such bugs), or takes over what enters the container with more power.\n" +
		"- **medium**: it reaches other users' files, credentials or share of the machine once " +
		"something is shared with the container,\n" +
		"  or is one step of a known chain.\n" +
		"- **low**: little, unless further settings are given away.\n\n" +
		"| capability | severity | Docker's default |\n|---|---|---|\n")
	for _, k := range known() {
		granted := ""
		if DockerDefaults.Has(k.Cap) {
			granted = "yes"
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", k.Cap, strings.ToLower(k.Cap.String()),
			k.Severity, granted)
	}
	for _, k := range known() {
		fmt.Fprintf(&b, "\n## %s\n\n**Severity:** %s\n\n%s\n\n**In an attacker's hands:** "+
			"%s\n\n**What limits it:** %s\n\n"+
			"**Who needs it:** %s\n\n**Without it:** %s\n\n**Sources:** %s\n",
			k.Cap, k.Severity, k.Permits, k.Attack, k.Limits, k.NeededBy, k.Without,
			strings.Join(k.Sources, " · "))
	}
	return []byte(testenv.WrapMarkdown(b.String()))
}
