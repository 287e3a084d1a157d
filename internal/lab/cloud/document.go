package cloud

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// document is an SSM document with its versions.
type document struct {
	name, owner    string
	versions       []map[string]any
	texts          []string
	packages       []*packaged // by version; nil unless it is of type Package
	defaultVersion int         // from 1
}

// runShellScript is AWS-RunShellScript, as far as it matters here.
const runShellScript = `{"schemaVersion":"1.2","description":"Run a shell script or specify the commands to run.","parameters":{
"commands":{"type":"StringList","description":"commands","minItems":1,"displayType":"textarea"},
"workingDirectory":{"type":"String","default":"","description":"working directory","maxChars":4096},
"executionTimeout":{"type":"String","default":"3600","allowedPattern":"([1-9][0-9]{0,4})|(1[0-6][0-9]{4})|(17[0-1][0-9]{3})|(172[0-7][0-9]{2})|(172800)"}},
"runtimeConfig":{"aws:runShellScript":{"properties":[{"id":"0.aws:runShellScript","runCommand":"{{ commands }}",
"workingDirectory":"{{ workingDirectory }}","timeoutSeconds":"{{ executionTimeout }}"}]}}}`

func builtin() map[string]*document {
	out := map[string]*document{}
	for name, text := range map[string]string{"AWS-RunShellScript": runShellScript,
		"AWS-ConfigureAWSPackage": configurePackage} {
		d := &document{name: name, owner: "Amazon", defaultVersion: 1}
		if err := d.add(text); err != nil {
			panic(err)
		}
		out[name] = d
	}
	return out
}

// Document adds a document, or replaces the one with that name.
func (c *Cloud) Document(account, regionName, name, content string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := &document{name: name, owner: account, defaultVersion: 1}
	if err := d.add(content); err != nil {
		panic(err) // a mistake in the test
	}
	c.region(account, regionName).documents[name] = d
}

// runbookSchema is the schema of Automation runbooks.
const runbookSchema = "0.3"

func (d *document) add(text string) error {
	var content map[string]any
	if err := json.Unmarshal([]byte(text), &content); err != nil {
		return fmt.Errorf("the document is not JSON: %w", err)
	}
	switch content["schemaVersion"] {
	case "1.2":
	case "2.2", "2.0":
		if steps, ok := content["mainSteps"].([]any); !ok || len(steps) == 0 {
			return fmt.Errorf("a document of schema 2.2 needs mainSteps")
		}
	case runbookSchema:
		if err := checkRunbook(content); err != nil {
			return err
		}
	default:
		return fmt.Errorf("schemaVersion %v is not supported", content["schemaVersion"])
	}
	d.versions = append(d.versions, content)
	d.texts = append(d.texts, text)
	return nil
}

// resolve returns the number and content of a version: "", "$DEFAULT", "$LATEST" or a number.
func (d *document) resolve(version string) (int, map[string]any) {
	n := d.defaultVersion
	switch version {
	case "", "$DEFAULT":
	case "$LATEST":
		n = len(d.versions)
	default:
		n = 0
		_, _ = fmt.Sscanf(version, "%d", &n)
	}
	if n < 1 || n > len(d.versions) {
		return 0, nil
	}
	return n, d.versions[n-1]
}

// parameters checks the given parameters against the document's declarations, fills in defaults,
// and complains as InvalidParameters does.
func parameters(content map[string]any, given map[string]any) (map[string][]string, string) {
	declared, _ := content["parameters"].(map[string]any)
	out := map[string][]string{}
	for name, v := range given {
		d, ok := declared[name].(map[string]any)
		if !ok {
			return nil, fmt.Sprintf("Unknown parameter(s): [%s].", name)
		}
		list := texts(v)
		if d["type"] != "StringList" && len(list) != 1 {
			return nil, fmt.Sprintf("Parameter %q must have one value.", name)
		}
		if complaint := permitted(name, d, list); complaint != "" {
			return nil, complaint
		}
		out[name] = list
	}
	for name, v := range declared {
		d := v.(map[string]any)
		if _, ok := out[name]; ok {
			continue
		}
		def, ok := d["default"]
		if !ok {
			return nil, fmt.Sprintf("Missing required parameter(s): [%s].", name)
		}
		out[name] = texts(def)
	}
	return out, ""
}

func permitted(name string, declared map[string]any, list []string) string {
	for _, text := range list {
		if p, ok := declared["allowedPattern"].(string); ok {
			re, err := regexp.Compile("^(?:" + p + ")$")
			if err != nil || !re.MatchString(text) {
				return fmt.Sprintf("Parameter %q has a value that does not match %s.", name, p)
			}
		}
		if values, ok := declared["allowedValues"].([]any); ok && !slices.Contains(texts(values),
			text) {
			return fmt.Sprintf("Parameter %q has a value that is not allowed.", name)
		}
		if most, ok := declared["maxChars"].(float64); ok && float64(len(text)) > most {
			return fmt.Sprintf("Parameter %q is too long.", name)
		}
	}
	return ""
}

func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, item := range v {
			out = append(out, fmt.Sprint(item))
		}
		return out
	case map[string]any:
		text, err := json.Marshal(v)
		if err != nil {
			return nil
		}
		return []string{string(text)}
	case nil:
		return nil
	}
	return []string{fmt.Sprint(v)}
}

// fill fills parameters into a document: "{{ name }}" alone becomes the value itself (a list stays
// a list), within a text its text.
func fill(v any, given map[string][]string, lists map[string]bool) any {
	switch v := v.(type) {
	case string:
		if m := only().FindStringSubmatch(v); m != nil {
			if list, ok := given[m[1]]; ok {
				if lists[m[1]] {
					return anys(list)
				}
				return strings.Join(list, " ")
			}
		}
		return within().ReplaceAllStringFunc(v, func(s string) string {
			if list, ok := given[within().FindStringSubmatch(s)[1]]; ok {
				return strings.Join(list, " ")
			}
			return s
		})
	case []any:
		out := []any{}
		for _, item := range v {
			if filled, ok := fill(item, given, lists).([]any); ok {
				out = append(out, filled...)
				continue
			}
			out = append(out, fill(item, given, lists))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, item := range v {
			out[k] = fill(item, given, lists)
		}
		return out
	}
	return v
}

var (
	within = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\{\{\s*([A-Za-z0-9]+)\s*\}\}`)
	})
	only = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\{\{\s*([A-Za-z0-9]+)\s*\}\}$`)
	})
)

func anys(list []string) []any {
	out := make([]any, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out
}

func listParameters(content map[string]any) map[string]bool {
	out := map[string]bool{}
	declared, _ := content["parameters"].(map[string]any)
	for name, v := range declared {
		if d, ok := v.(map[string]any); ok && d["type"] == "StringList" {
			out[name] = true
		}
	}
	return out
}

// supports reports whether a document has a step for a platform: aws:runShellScript has none for
// Windows.
func supports(content map[string]any, platform string) bool {
	text, err := json.Marshal(content)
	if err != nil {
		return false
	}
	if platform == "Windows" {
		return strings.Contains(string(text), "aws:runPowerShellScript")
	}
	return true
}
