package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// completing drives the generated script as bash does. The function that bash-completion would
// define is small enough to be defined here.
const completing = `
_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }
__ltrim_colon_completions() { :; }
compopt() { :; }
source <(dropcap completion bash)
COMP_WORDS=(dropcap "$@") COMP_CWORD=$# COMP_LINE="dropcap $*" COMP_TYPE=9 COMP_KEY=9
COMP_POINT=${#COMP_LINE}
__start_dropcap
printf '%s\n' "${COMPREPLY[@]%% *}"
`

func complete(t *testing.T, p program, words ...string) string {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(testenv.Binary(t), filepath.Join(bin, "dropcap")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash",
		append([]string{"--norc", "-c", completing, "bash"}, words...)...)
	cmd.Env = append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=/nonexistent"},
		p.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestBashCompletes(t *testing.T) {
	testenv.Need(t, testenv.Tool("bash", "bash"))
	e := fake.Start(t, fake.Options{})
	for _, name := range []string{"web-1", "web-2", "db"} {
		e.Add(fake.Container{Name: name})
	}
	for line, want := range map[string]string{
		"au": "audit", "audit we": "web-1 web-2", "audit web-1 d": "db", "explain db": "db",
		"explain d": "dac_override dac_read_search db", "explain NET_R": "NET_RAW",
		"explain net_r": "net_raw", "explain CAP_NET_R": "CAP_NET_RAW",
		"audit --level ": "cis least", "audit --level l": "least", "audit --format s": "sarif",
		"policy c": "check", "audit --form": "--format",
		"version --format j": "json", "explain --format t": "text",
	} {
		got := strings.Fields(complete(t, on(e), strings.Split(line, " ")...))
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if got := complete(t, on(e), "audit", "web-1", ""); strings.Contains(got, "web-1") ||
		!strings.Contains(got, "web-2") {
		t.Errorf("what is named already is offered again: %q", got)
	}
}

// TestCompletionDoesNotHang: a shell that waits for an engine is a broken shell.
func TestCompletionDoesNotHang(t *testing.T) {
	e := pair(t)
	e.Misbehave(fake.Fault{Hang: true})
	testenv.Binary(t) // not part of the measurement
	began := time.Now()
	if got := complete(t, on(e), "audit", ""); strings.Contains(got, "web") ||
		time.Since(began) > 15*time.Second {
		t.Errorf("%q after %v", got, time.Since(began))
	}
}

func TestCompletionScripts(t *testing.T) {
	for shell, has := range map[string]string{"bash": "__start_dropcap", "zsh": "#compdef dropcap",
		"fish": "complete -c dropcap", "powershell": "Register-ArgumentCompleter"} {
		cmd := program{}.command(t, "completion", shell) // tabs in it are the script's own
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), has) {
			t.Errorf("%s: %v, %.100q", shell, err, out)
		}
		path, err := exec.LookPath(shell)
		if err != nil || shell == "powershell" {
			continue
		}
		check := exec.Command(path, "-n", write(t, filepath.Join(t.TempDir(), shell), string(out)))
		if said, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s does not read its script: %v %s", shell, err, said)
		}
	}
}
