package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dropcap"
)

// shellWords splits a line as a POSIX shell does if there is nothing to expand; anything to expand
// is an error.
func shellWords(line string) (words []string, err error) {
	word, begun, quote := strings.Builder{}, false, rune(0)
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			escaped = false
			word.WriteRune(r)
		case quote == '\'' && r != '\'' || quote == '"' && !strings.ContainsRune("\"$`\\", r):
			word.WriteRune(r)
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == '\\':
			escaped, begun = true, true
		case quote != 0 || strings.ContainsRune("$`;&|<>(){}*?[]#~!\n", r):
			return nil, fmt.Errorf("a shell makes something of %q in %s", r, line)
		case r == ' ':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("%s does not end", line)
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}

// sendCommand is the request that the aws command makes for a printed line.
func sendCommand(line string) (map[string]any, error) {
	words, err := shellWords(line)
	if err != nil || len(words) < 3 || strings.Join(words[:3], " ") != "aws ssm send-command" ||
		len(words)%2 == 0 {
		return nil, fmt.Errorf("%q is no command, %w", line, err)
	}
	in := map[string]any{}
	for i := 3; i < len(words); i += 2 {
		name, value := words[i], words[i+1]
		switch name {
		case "--targets":
			key, list, _ := strings.Cut(strings.TrimPrefix(value, "Key="), ",Values=")
			in["Targets"] = []any{map[string]any{"Key": key,
				"Values": anyOf(strings.Split(list, ","))}}
		case "--parameters":
			in["Parameters"], err = cliParameters(value)
		case "--timeout-seconds":
			in["TimeoutSeconds"], err = strconv.ParseFloat(value, 64)
		default:
			field := map[string]string{"--region": "region", "--document-name": "DocumentName",
				"--comment": "Comment", "--max-concurrency": "MaxConcurrency",
				"--max-errors": "MaxErrors", "--output-s3-bucket-name": "OutputS3BucketName",
				"--output-s3-key-prefix": "OutputS3KeyPrefix"}[name]
			if in[field] = value; field == "" {
				err = fmt.Errorf("there is no option %s", name)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return in, nil
}

func anyOf(list []string) (out []any) {
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// cliParameters reads JSON, or name=["…"],name=["…"].
func cliParameters(text string) (map[string]any, error) {
	given := map[string]any{}
	if strings.HasPrefix(text, "{") {
		return given, json.Unmarshal([]byte(text), &given)
	}
	for rest := text; rest != ""; rest = strings.TrimPrefix(rest, ",") {
		name, list, _ := strings.Cut(rest, "=")
		d, value := json.NewDecoder(strings.NewReader(list)), []any{}
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		given[name], rest = value, list[d.InputOffset():]
	}
	return given, nil
}

var (
	anyRun     = regexp.MustCompile(`[0-9a-f]{12}$`)
	anyRequest = regexp.MustCompile(`--request=[0-9a-f]{32}`)
	address    = regexp.MustCompile(`https?://[^' ]*`)
)

// lasting removes from a request what differs each time: the names of the request and the run, and
// the address of the binary.
func lasting(t *testing.T, in map[string]any) string {
	t.Helper()
	delete(in, "region")
	in["Comment"] = anyRun.ReplaceAllString(in["Comment"].(string), "RUN")
	target := in["Targets"].([]any)[0].(map[string]any)
	target["Key"] = strings.ToLower(target["Key"].(string)) // the service ignores the case
	given := in["Parameters"].(map[string]any)
	if given["request"] != nil {
		given["request"] = "REQUEST"
	}
	if lines, ok := given["commands"].([]any); ok {
		for i := range lines {
			lines[i] = address.ReplaceAllString(anyRequest.ReplaceAllString(lines[i].(string),
				"REQUEST"), "ADDRESS")
		}
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// printed returns the output of --print-aws as requests. It sends nothing.
func (d *double) printed(t *testing.T, args []string) (list []string) {
	t.Helper()
	before := len(d.all())
	text := d.ends(0, append(args, "--print-aws")...)
	if len(d.all()) != before {
		t.Errorf("%v --print-aws sends something", args)
	}
	if strings.Contains(text, "X-Amz-") {
		t.Errorf("an address that was signed is printed: %s", text)
	}
	for line := range strings.Lines(text) {
		in, err := sendCommand(strings.TrimSuffix(line, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if in["region"] != "us-east-1" {
			t.Errorf("the region is missing: %s", line)
		}
		list = append(list, lasting(t, in))
	}
	return list
}

func (d *double) all() []map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]map[string]any(nil), d.sent...)
}

// What is printed is what is sent: document, parameters, targets, times, bucket.
func TestThePrintedCommandsAreThoseThatAreSent(t *testing.T) {
	t.Parallel()
	d := startDouble(t, &actor{id: nodeA, plan: "aaaaaaaaaaaa"},
		&actor{id: nodeB, plan: "bbbbbbbbbbbb"})
	plan := d.planned()
	d.someEvidence(t)
	run := d.asPrinted(t, map[string]int{ // and how many commands it takes
		"audit --targets all --level least --s3-bucket outputs --s3-prefix a/b":                1,
		"audit --targets " + nodeA + " --shell --delivery-timeout 45s --execution-timeout 77s": 1,
		"learn --targets all --for 1s":                            1,
		"apply " + plan + " --yes --host-soak 3s --all":           1,
		"evidence push --targets " + nodeB:                        2,
		"install --targets all --bucket outputs --yes":            1,
		"uninstall --targets " + nodeA + " --yes --purge --force": 1,
	})
	d.asPrinted(t, map[string]int{"backout " + run + " --yes": 1})
}

// asPrinted prints the requests of some commands, then runs all of them at once. It returns the id
// of a run that changed something.
func (d *double) asPrinted(t *testing.T, commands map[string]int) (run string) {
	t.Helper()
	want, running, output := map[string]string{}, []*exec.Cmd{}, &heard{}
	for line, n := range commands {
		args := append([]string{"fleet"}, strings.Fields(line)...)
		list := d.printed(t, args)
		for _, in := range list {
			want[in] = line
		}
		if len(list) != n {
			t.Errorf("%s: %d commands are printed, want %d", line, len(list), n)
		}
		cmd := d.command(t, append(args, "--rate", "200")...)
		cmd.Stdout, cmd.Stderr = output, output
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v\n%s", cmd.Args[1:], err, output)
		}
	}
	sent := map[string]int{}
	for _, in := range d.all() {
		sent[lasting(t, in)]++
	}
	for in, line := range want {
		if sent[in] == 0 { // a request whose answer was lost is repeated
			t.Errorf("%s is printed as\n%s\nwhich is not sent; what is:\n%s", line, in,
				strings.Join(slices.Sorted(maps.Keys(sent)), "\n"))
		}
	}
	if strings.Contains(output.String(), "X-Amz-") {
		t.Errorf("an address that was signed is told: %s", output)
	}
	if m := regexp.MustCompile(`run ([0-9a-f]{12}): `).
		FindStringSubmatch(output.String()); m != nil {
		run = m[1]
	}
	return run
}

// someEvidence puts enough evidence into the controller's store to need two parts.
func (d *double) someEvidence(t *testing.T) {
	t.Helper()
	list := []map[string]any{}
	for i := range 30 {
		list = append(list, map[string]any{"workload": fmt.Sprintf("docker:web-%d", i),
			"revision": "sha256:" + strings.Repeat("a", 64),
			"image_id": "sha256:" + strings.Repeat("b", 64), "held": []string{"CAP_CHOWN"},
			"required": []string{}, "unused": []string{"CAP_CHOWN"}, "needs": []any{},
			"sources": []any{map[string]any{"host": map[string]any{"id": "elsewhere"},
				"container": strings.Repeat("c", 64), "since": "2026-01-02T00:00:00Z",
				"until": "2026-01-02T01:00:00Z", "seconds": 3600, "starts_cold": 1}}})
	}
	text, err := json.Marshal(map[string]any{"schema": dropcap.SchemaEvidence, "workloads": list})
	if err != nil {
		t.Fatal(err)
	}
	store := ""
	for _, e := range d.env {
		if s, ok := strings.CutPrefix(e, "DROPCAP_STORE="); ok {
			store = s
		}
	}
	d.ends(0, "evidence", "import", write(t, filepath.Join(t.TempDir(), "evidence.json"),
		string(text)), "--store", store)
}
