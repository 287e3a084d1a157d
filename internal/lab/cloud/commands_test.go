package cloud_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/lab/cloud"
)

// typed are the options of the aws command that are no plain texts, by how they are read.
var typed = map[string]func(string) any{
	"targets": structures, "filters": structures, "parameters": mapOfLists,
	"resource-ids": listOf, "resource-types": listOf, "association-ids": listOf,
}

func listOf(s string) any { return strings.Split(s, ",") }

// structures reads "Key=a,Values=b,c,Type=d", as the aws command does.
func structures(s string) any {
	fields, last := map[string]any{}, ""
	for _, part := range strings.Split(s, ",") {
		if name, value, ok := strings.Cut(part, "="); ok {
			last = name
			fields[name] = value
			if name == "Values" {
				fields[name] = []string{value}
			}
		} else if list, ok := fields[last].([]string); ok {
			fields[last] = append(list, part)
		}
	}
	return []any{fields}
}

func mapOfLists(s string) any {
	if strings.HasPrefix(s, "{") {
		return json.RawMessage(s)
	}
	out := map[string][]string{}
	for _, part := range strings.Split(s, ",") {
		name, value, _ := strings.Cut(part, "=")
		out[name] = []string{value}
	}
	return out
}

// requestOf returns the operation and the request that an aws command makes of its words.
func requestOf(words []string) (operation string, in map[string]any) {
	pascal := func(name string) (s string) {
		for _, part := range strings.Split(name, "-") {
			s += strings.ToUpper(part[:1]) + part[1:]
		}
		return s
	}
	in = map[string]any{}
	for k := 1; k < len(words); k++ {
		name := strings.TrimPrefix(words[k], "--")
		if k+1 == len(words) || strings.HasPrefix(words[k+1], "--") {
			in[pascal(name)] = true
			continue
		}
		k++
		in[pascal(name)] = words[k]
		if read := typed[name]; read != nil {
			in[pascal(name)] = read(words[k])
		}
	}
	delete(in, "Query") // of the command itself
	delete(in, "Output")
	return pascal(words[0]), in
}

// documented returns the aws commands of a page, split as a shell does: each word plain or wholly
// in quotes.
func documented(t *testing.T, page string) (out [][]string) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`'([^']*)'|"([^"]*)"|[^ ]+`)
	for line := range strings.Lines(string(text)) {
		line, ok := strings.CutPrefix(strings.TrimRight(line, "\n)"), "    ")
		_, line, isAWS := strings.Cut(line, "aws ssm ")
		if !ok || !isAWS {
			continue
		}
		var words []string
		for _, m := range word.FindAllStringSubmatch(line, -1) {
			words = append(words, strings.Trim(m[0], `'"`))
		}
		out = append(out, words)
	}
	return out
}

// Each command that the pages print is one that the service's own model takes, with parameters that
// the documents take. What it names by a made-up id may be absent.
func TestThePrintedCommandsAreTaken(t *testing.T) {
	absent := []string{"AutomationExecutionNotFoundException", "AssociationDoesNotExist"}
	b := newBench(t)
	seen := map[string]bool{}
	for _, page := range []string{"aws-console.md", "lab.md"} {
		for _, words := range documented(t, page) {
			operation, in := requestOf(words)
			seen[operation] = true
			if in["AutomationExecutionId"] == "$id" {
				in["AutomationExecutionId"] = "01234567-89ab-cdef-0123-456789abcdef"
			}
			status, kind, text := b.post(operation, in)
			if status != http.StatusOK && !slices.Contains(absent, kind) {
				t.Errorf("%s: %q: %s", page, words, text)
			}
		}
	}
	if len(seen) < 9 {
		t.Errorf("only %v are printed", seen)
	}
	for _, bad := range []string{
		"send-command --document-name dropcap-audit --targets Key=tag:role,Values=web --parameters level=high",
		"send-command --document-name dropcap-audit --target Key=tag:role,Values=web",
		"start-automation-execution --document-name dropcap-control --parameters TagKey=role",
		"create-association --name dropcap-audit --compliance-severity SEVERE",
	} {
		operation, in := requestOf(strings.Split(bad, " "))
		if status, _, _ := b.post(operation, in); status == http.StatusOK {
			t.Errorf("%s is taken", bad)
		}
	}
}

// post sends a request as it is, and returns the error's type and all of the answer.
func (b *bench) post(operation string, in any) (status int, kind, text string) {
	b.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost,
		os.Getenv("AWS_ENDPOINT_URL")+"/", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonSSM."+operation)
	if err := cloud.DefaultKey.Sign(req, body, "ssm", "us-east-1"); err != nil {
		b.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		b.Fatal(err)
	}
	kind, _ = out["__type"].(string)
	message, _ := out["message"].(string)
	return resp.StatusCode, kind, kind + ": " + message
}
