package fleet

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// form is a document for people, as far as its form matters.
type form struct {
	SchemaVersion, Description string
	Parameters                 map[string]struct {
		Type, Description, AllowedPattern string
		AllowedValues                     []string
		Default                           any
	}
	MainSteps []struct {
		Name, Action string
		Inputs       struct {
			RunCommand   []string
			DocumentName string
			Parameters   map[string]string
			Comment      string
		}
	}
}

func forms(t *testing.T) map[string]form {
	t.Helper()
	all := map[string]form{}
	for _, d := range ConsoleDocuments() {
		var f form
		if err := json.Unmarshal([]byte(d.Content), &f); err != nil {
			t.Fatal(err)
		}
		all[d.Name] = f
	}
	return all
}

// The service fills parameters into the text of a step, so nothing that a shell takes for its own
// may pass a form.
func TestEachFormExplainsItsParametersAndHoldsThemToAForm(t *testing.T) {
	hostile := []string{"'", "a'b", `"`, "$(id)", "`id`", "a;id", "a\nb", "a|b", "a&b", "--all=x",
		"a\\", "{{x}}", "*", "\x00", "é", "-x"}
	for name, f := range forms(t) {
		if f.Description == "" {
			t.Errorf("%s does not say what it does", name)
		}
		for p, d := range f.Parameters {
			if len(d.Description) < 40 {
				t.Errorf("%s does not explain %s", name, p)
			}
			if len(d.AllowedValues) > 0 {
				continue
			}
			if !strings.HasPrefix(d.AllowedPattern, "^") ||
				!strings.HasSuffix(d.AllowedPattern, "$") {
				t.Errorf("%s: %s may be anything", name, p)
			}
			re := regexp.MustCompile(d.AllowedPattern)
			for _, bad := range hostile {
				if re.MatchString(bad) {
					t.Errorf("%s: %s may be %q", name, p, bad)
				}
			}
			if v, ok := d.Default.(string); ok && !re.MatchString(v) {
				t.Errorf("%s: %s cannot be its own default %q", name, p, v)
			}
		}
	}
}

// What a person fills in stands between single quotes of the line that runs, and no parameter says
// what is done.
func TestNoFormHasAShell(t *testing.T) {
	quoted := regexp.MustCompile(`^dropcap console [a-z]+( --[a-z-]+='\{\{ [A-Za-z]+ \}\}')+$`)
	for name, f := range forms(t) {
		for _, s := range f.MainSteps {
			lines := s.Inputs.RunCommand
			switch {
			case f.SchemaVersion == "0.3":
				continue
			case len(lines) != 3 || s.Action != "aws:runShellScript" || lines[1] != "set -f":
				t.Errorf("%s: %q", name, lines)
				continue
			}
			verb := strings.TrimPrefix(name, "dropcap-")
			last := lines[2]
			if !quoted.MatchString(last) ||
				!strings.HasPrefix(last, "dropcap console "+verb+" ") ||
				strings.Count(last, "{{") != len(f.Parameters) || strings.Contains(lines[0], "{{") {
				t.Errorf("%s runs %q", name, last)
			}
		}
	}
	if d := forms(t)["dropcap-apply"].Parameters["dryRun"].Default; d != "yes" {
		t.Errorf("who fills in nothing applies: dryRun is %v", d)
	}
}

// runbookSchema is the schema of testdata, which says where its facts are from.
func runbookSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/automation-0.3.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("runbook", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("runbook")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheRunbooksAreOfThePublishedSchema(t *testing.T) {
	schema, n := runbookSchema(t), 0
	for _, d := range ConsoleDocuments() {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(d.Content))
		if err != nil {
			t.Fatal(err)
		}
		err = schema.Validate(doc)
		switch runbook := strings.HasPrefix(d.Name, "dropcap-control"); {
		case runbook && err != nil:
			t.Errorf("%s: %v", d.Name, err)
		case runbook:
			n++
		case err == nil:
			t.Errorf("the schema takes %s, which is no runbook", d.Name)
		}
	}
	if n != 2 {
		t.Errorf("%d runbooks", n)
	}
	for _, bad := range []string{
		`{"name":"one","action":"aws:runCommand","inputs":{"DocumentName":"x"}}`,
		`{"name":"one","action":"aws:runCommand","inputs":{"DocumentName":"x","InstanceIds":["i"],"Shell":"y"}}`,
		`{"name":"one","action":"aws:approve","inputs":{}}`,
		`{"name":"one","action":"aws:sleep","inputs":{"Duration":"PT1S"},"onFailure":"backout"}`,
		`{"name":"one","action":"aws:sleep"}`, `{"name":"one","action":"aws:runShell","inputs":{}}`,
	} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(
			`{"schemaVersion":"0.3","mainSteps":[` + bad + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(doc) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

// A runbook sends documents of ours only, with parameters that they have and values that they take.
func TestTheRunbooksSendWhatTheFormsTake(t *testing.T) {
	all := forms(t)
	for name, f := range all {
		for _, s := range f.MainSteps {
			if s.Action != "aws:runCommand" {
				continue
			}
			if len(s.Inputs.Comment) > 100 {
				t.Errorf("%s: the comment of %s is too long", name, s.Name)
			}
			sent, ok := all[s.Inputs.DocumentName]
			if !ok || sent.SchemaVersion != "2.2" {
				t.Errorf("%s sends %q", name, s.Inputs.DocumentName)
			}
			for p, value := range s.Inputs.Parameters {
				d, ok := sent.Parameters[p]
				own, isOwn := f.Parameters[strings.Trim(value, "{} ")]
				switch {
				case !ok:
					t.Errorf("%s sends %s of %s, which has none", name, p, s.Inputs.DocumentName)
				case isOwn && (own.AllowedPattern != d.AllowedPattern && p != "run" ||
					!slices.Equal(own.AllowedValues, d.AllowedValues)):
					t.Errorf("%s takes other values for %s than %s", name, p, s.Inputs.DocumentName)
				case !strings.Contains(value, "{{") && !slices.Contains(d.AllowedValues, value):
					t.Errorf("%s sends %s=%s to %s", name, p, value, s.Inputs.DocumentName)
				}
			}
		}
	}
}

func TestThePageNamesEachDocumentAndParameter(t *testing.T) {
	page, err := os.ReadFile("../../docs/aws-console.md")
	if err != nil {
		t.Fatal(err)
	}
	plan := forms(t)["dropcap-plan"].Parameters
	for name, f := range forms(t) {
		words := []string{name}
		for p := range f.Parameters {
			// those that a runbook hands on are a form's own
			if _, isForm := plan[strings.ToLower(p[:1])+p[1:]]; !isForm {
				words = append(words, p)
			}
		}
		for _, w := range words {
			if !bytes.Contains(page, []byte("`"+w+"`")) && !bytes.Contains(page, []byte(w+"=")) {
				t.Errorf("docs/aws-console.md does not name %s of %s", w, name)
			}
		}
	}
}
