package render

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"dropcap"
)

// The schema in testdata is OASIS's own, sarif-schema-2.1.0.json of errata 01, as go-sarif carries
// it; its id says where it is published.
func validateSARIF(t testing.TB, doc string) {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%v", err)
	}
}

func TestSARIFIsValid(t *testing.T) {
	known := sample()
	known.Baseline = &dropcap.PolicyRef{Digest: "sha256:00"}
	for name, a := range map[string]dropcap.Audit{"sample": sample(), "with a baseline": known,
		"empty": {}} {
		t.Run(name, func(t *testing.T) { validateSARIF(t, write(t, "sarif", a, Options{})) })
	}
}

func TestTheSchemaRefusesWhatIsNoSARIF(t *testing.T) {
	doc := strings.Replace(write(t, "sarif", sample(), Options{}), `"level": "error"`,
		`"level": "dire"`, 1)
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	if schema.Validate(v) == nil {
		t.Error("a level that does not exist is valid")
	}
}

type sarifDoc struct {
	Runs []struct {
		Tool struct {
			Driver struct{ Rules []struct{ ID string } }
		}
		Results []sarifFound
	}
}

type sarifFound struct {
	RuleID              string
	RuleIndex           int
	PartialFingerprints map[string]string
	Suppressions        []struct{ Justification string }
	Message             struct{ Text string }
	Locations           []struct {
		LogicalLocations []struct{ Name string }
		PhysicalLocation struct {
			ArtifactLocation struct{ URI string }
			Region           struct{ StartLine int }
		}
	}
}

func readSARIF(t *testing.T, a dropcap.Audit) sarifDoc {
	t.Helper()
	var d sarifDoc
	if err := json.Unmarshal([]byte(write(t, "sarif", a, Options{})), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSARIFHasAResultPerFinding(t *testing.T) {
	a := sample()
	d := readSARIF(t, a)
	want := len(a.Findings)
	for _, c := range a.Containers {
		want += len(c.Findings)
	}
	if len(d.Runs[0].Results) != want {
		t.Fatalf("%d results, want %d", len(d.Runs[0].Results), want)
	}
	suppressed := 0
	for _, r := range d.Runs[0].Results {
		if d.Runs[0].Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("%s has the index of %s", r.RuleID,
				d.Runs[0].Tool.Driver.Rules[r.RuleIndex].ID)
		}
		if r.Locations[0].LogicalLocations[0].Name == "" {
			t.Errorf("%s is nowhere", r.RuleID)
		}
		if len(r.Suppressions) > 0 {
			suppressed++
		}
	}
	if suppressed != 2 {
		t.Errorf("%d suppressed, want the waived one and the known one", suppressed)
	}
}

func TestSARIFFingerprintsOutliveAContainer(t *testing.T) {
	a := sample()
	before := readSARIF(t, a).Runs[0].Results
	seen := map[string]bool{}
	for _, r := range before {
		seen[r.PartialFingerprints["dropcap/v1"]] = true
	}
	if len(seen) != len(before) {
		t.Errorf("%d fingerprints for %d results", len(seen), len(before))
	}
	a.Created = "2027-01-01T00:00:00Z"
	for i := range a.Containers {
		a.Containers[i].ID, a.Containers[i].PID = at(200+i), 7
	}
	for i, r := range readSARIF(t, a).Runs[0].Results {
		if r.PartialFingerprints["dropcap/v1"] != before[i].PartialFingerprints["dropcap/v1"] {
			t.Errorf("%s has another fingerprint after the container was made anew", r.RuleID)
		}
	}
}

// GitHub refuses a result without a line, follows it by one fingerprint of a fixed name, and takes
// another path for another alert.
func TestSARIFIsWhatGitHubFollows(t *testing.T) {
	a := sample()
	c := &a.Containers[0]
	c.Name, c.Owner = "api.2.t24bqtsq8r2i0mcydyrsf8f76",
		dropcap.Owner{Kind: "swarm", Service: "api"}
	for i, r := range readSARIF(t, a).Runs[0].Results {
		at := r.Locations[0].PhysicalLocation
		if at.ArtifactLocation.URI == "" || at.Region.StartLine != 1 {
			t.Errorf("%s is at %+v", r.RuleID, at)
		}
		if i == 0 && at.ArtifactLocation.URI != "containers/api.2" {
			t.Errorf("a task is at %s, which its next one is not", at.ArtifactLocation.URI)
		}
		if r.PartialFingerprints["primaryLocationLineHash"] != r.PartialFingerprints["dropcap/v1"] {
			t.Errorf("%s has the fingerprints %v", r.RuleID, r.PartialFingerprints)
		}
	}
}

func TestEveryRuleIsExplained(t *testing.T) {
	for _, r := range dropcap.Rules() {
		if text := ruleTexts[r]; text.title == "" || text.help == "" || text.severity.Rank() == 0 {
			t.Errorf("%s: %+v", r, text)
		}
	}
}
