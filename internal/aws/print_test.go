package aws_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/aws"
)

// words returns the words that a shell makes of a command.
func words(t *testing.T, command string) []string {
	t.Helper()
	rest, ok := strings.CutPrefix(command, "aws ")
	if !ok {
		t.Fatalf("%q is no command of aws", command)
	}
	out, err := exec.Command("sh", "-c", `printf '%s\0' `+rest).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func option(list []string, name string) string {
	if i := slices.Index(list, name); i >= 0 && i+1 < len(list) {
		return list[i+1]
	}
	return ""
}

func TestThePrintedCommandIsTheControlsOwn(t *testing.T) {
	cmd := script(one)
	cmd.Lines = []string{"docker ps --quiet --all | xargs docker inspect --format '{{ .Id }}: " +
		"CapAdd={{ .HostConfig.CapAdd }}'"}
	want :=
		`aws ssm send-command --region us-east-1 --document-name "AWS-RunShellScript" --targets "Key=instanceIds,Values=` + one + `" --parameters ` +
			`'commands=["docker ps --quiet --all | xargs docker inspect --format '\''{{ .Id }}: CapAdd={{ .HostConfig.CapAdd }}'\''"],executionTimeout=["60"]' ` +
			`--timeout-seconds 60 --max-concurrency 100% --max-errors 100%`
	if got := aws.PrintAWS(cmd); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAShellReadsThePrintedCommandAsItIsMeant(t *testing.T) {
	for _, line := range []string{`echo "$HOME" 'a b' \n ${x} $(id) ` + "`id`", "ä\ttab",
		"two\nlines", `back\slash`, "it's", `"`, "<&>", "!history", "-n", ""} {
		cmd := script(one, two)
		cmd.Lines = []string{line, "true"}
		cmd.Comment, cmd.Bucket, cmd.Prefix = "it's $HOME", "lab", "a b/$c"
		w := words(t, aws.PrintAWS(cmd))
		for name, want := range map[string]string{"--region": east,
			"--document-name": "AWS-RunShellScript", "--targets": "Key=instanceIds,Values=" + one +
				"," + two,
			"--comment": cmd.Comment, "--output-s3-bucket-name": "lab",
			"--output-s3-key-prefix": cmd.Prefix, "--timeout-seconds": "60"} {
			if got := option(w, name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if got := commands(t, option(w, "--parameters")); !slices.Equal(got, cmd.Lines) {
			t.Errorf("%q came out as %q", cmd.Lines, got)
		}
	}
}

// commands parses --parameters as the CLI does: JSON, or its short form, where of JSON's escapes
// only \" and \\ are special.
func commands(t *testing.T, text string) []string {
	t.Helper()
	var given struct{ Commands []string }
	if list, ok := strings.CutPrefix(text, "commands="); ok {
		list, _, ok = strings.Cut(list, ",executionTimeout=")
		if !ok || strings.Contains(strings.ReplaceAll(list, `\"`, ""), `\`) {
			t.Errorf("the short form does not have %s", text)
		}
		text = `{"commands":` + list + `}`
	}
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return given.Commands
}

func TestTheDocumentsParametersArePrinted(t *testing.T) {
	cmd := dropcap.NodeCommand{Place: here, Nodes: []string{one}, Document: "dropcap-look",
		Verb: "audit", Request: "0f", Args: []string{"--level", "cis"}, Delivery: 1e11,
		Execution: 1e11}
	if got := option(words(t, aws.PrintAWS(cmd)),
		"--parameters"); got != `arguments=["--level cis"],executionTimeout=["100"],request=["0f"],verb=["audit"]` {
		t.Errorf("%s", got)
	}
}
